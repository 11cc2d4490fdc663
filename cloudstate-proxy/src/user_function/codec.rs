//! The protobuf codecs of entity streams and of action calls.

use std::marker::PhantomData;

use cloudstate_proto::crdt::{CrdtStreamIn, CrdtStreamOut};
use prost::Message;
use tonic::{
    Status,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};
use tonic_prost::{ProstDecoder, ProstEncoder};

use super::crdt_0_1;
use crate::service_catalog::CrdtProtocol;

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

/// Speaks one of the two CRDT protocols.
#[derive(Clone, Copy)]
pub(crate) struct CrdtCodec(pub(super) CrdtProtocol);

impl Codec for CrdtCodec {
    type Encode = CrdtStreamIn;
    type Decode = CrdtStreamOut;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for CrdtCodec {
    type Item = CrdtStreamIn;
    type Error = Status;

    fn encode(&mut self, item: CrdtStreamIn, buf: &mut EncodeBuf<'_>) -> Result<(), Status> {
        let encoded = match self.0 {
            CrdtProtocol::V0_2 => item.encode(buf),
            CrdtProtocol::V0_1 => crdt_0_1::StreamIn::from(item).encode(buf),
        };
        encoded.map_err(|error| Status::internal(error.to_string()))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER_BYTES, YIELD_THRESHOLD)
    }
}

impl Decoder for CrdtCodec {
    type Item = CrdtStreamOut;
    type Error = Status;

    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<CrdtStreamOut>, Status> {
        let decoded = match self.0 {
            CrdtProtocol::V0_2 => CrdtStreamOut::decode(buf),
            CrdtProtocol::V0_1 => crdt_0_1::StreamOut::decode(buf).map(CrdtStreamOut::from),
        };
        decoded.map(Some).map_err(|error| Status::internal(error.to_string()))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER_BYTES, YIELD_THRESHOLD)
    }
}
