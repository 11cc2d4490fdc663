//! The protobuf codecs of entity streams and of action calls.

use std::{marker::PhantomData, sync::Arc};

use cloudstate_proto::action::{ActionCommand, ActionResponse};
use prost::Message;
use tonic::{
    Status,
    codec::{BufferSettings, Codec, EncodeBuf, Encoder},
};
use tonic_prost::{ProstDecoder, ProstEncoder};

/// tonic's default buffers take 16 KiB a stream; ours hold one usual message, since thousands of streams are
/// open at once.
const BUFFER_BYTES: usize = 1024;
/// From this many bytes on what is buffered is written out.
const YIELD_THRESHOLD: usize = 32 * 1024;

/// Encodes `In`, decodes `Out`.
pub(crate) struct SmallBufferCodec<In, Out>(PhantomData<(In, Out)>);

impl<In, Out> Default for SmallBufferCodec<In, Out> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<In, Out> Codec for SmallBufferCodec<In, Out>
where
    In: Message + Send + 'static,
    Out: Message + Default + Send + 'static,
{
    type Encode = In;
    type Decode = Out;
    type Encoder = ProstEncoder<In>;
    type Decoder = ProstDecoder<Out>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::new(BufferSettings::new(BUFFER_BYTES, YIELD_THRESHOLD))
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstDecoder::new(BufferSettings::new(BUFFER_BYTES, YIELD_THRESHOLD))
    }
}

/// What stands at the end of commands that are not to be completed: the call is reset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cancelled;

/// Encodes commands of a call that can be cancelled, which dropping its response alone does not do as long as it has
/// requests to send.
pub(super) struct ActionCodec;

pub(super) struct CommandEncoder;

impl Codec for ActionCodec {
    type Encode = Result<ActionCommand, Cancelled>;
    type Decode = ActionResponse;
    type Encoder = CommandEncoder;
    type Decoder = ProstDecoder<ActionResponse>;

    fn encoder(&mut self) -> Self::Encoder {
        CommandEncoder
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstDecoder::new(BufferSettings::new(BUFFER_BYTES, YIELD_THRESHOLD))
    }
}

impl Encoder for CommandEncoder {
    type Item = Result<ActionCommand, Cancelled>;
    type Error = Status;

    fn encode(&mut self, item: Self::Item, buf: &mut EncodeBuf<'_>) -> Result<(), Status> {
        let command = item.map_err(|Cancelled| reset())?;
        command.encode(buf).map_err(|error| Status::internal(error.to_string()))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER_BYTES, YIELD_THRESHOLD)
    }
}

/// An error whose source tells the connection how to reset the stream.
fn reset() -> Status {
    let mut status = Status::cancelled("the call is given up");
    status.set_source(Arc::new(h2::Error::from(h2::Reason::CANCEL)));
    status
}
