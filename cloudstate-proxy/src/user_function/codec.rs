//! The protobuf codec of entity streams and of action calls.

use std::marker::PhantomData;

use prost::Message;
use tonic::codec::{BufferSettings, Codec};
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
