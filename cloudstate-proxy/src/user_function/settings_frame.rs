//! What a server says before anything else: how many streams it allows on a connection.
//!
//! The HTTP/2 library keeps to that limit, but does not tell when it has heard it: a request beyond it just waits. A pool
//! must know before the first request, so that it opens another connection instead.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::oneshot,
};

/// Without a word the server allows any number.
const UNLIMITED: u32 = u32::MAX;

const HEADER: usize = 9;
const SETTINGS: u8 = 4;
const MAX_CONCURRENT_STREAMS: u16 = 3;
/// No frame may be larger before the two sides agreed on more.
const MAX_FRAME: usize = 16 * 1024;

/// Passes bytes through, and reads along until the server's first frame, its settings, is complete.
pub(super) struct SettingsTap<T> {
    io: T,
    listening: Option<(FirstFrame, oneshot::Sender<u32>)>,
}

impl<T> SettingsTap<T> {
    /// The receiver gets the limit; it gets nothing if the peer does not begin as an HTTP/2 server.
    pub(super) fn new(io: T) -> (Self, oneshot::Receiver<u32>) {
        let (limit, heard) = oneshot::channel();
        (Self { io, listening: Some((FirstFrame::default(), limit)) }, heard)
    }

    fn hear(&mut self, bytes: &[u8]) {
        let Some((mut frame, limit)) = self.listening.take() else { return };
        match frame.push(bytes) {
            Progress::Incomplete => self.listening = Some((frame, limit)),
            Progress::Settings(streams) => {
                let _ = limit.send(streams);
            }
            Progress::NoSettings => {}
        }
    }
}

#[derive(Default)]
struct FirstFrame(Vec<u8>);

#[derive(Debug, PartialEq, Eq)]
enum Progress {
    Incomplete,
    Settings(u32),
    NoSettings,
}

impl FirstFrame {
    fn push(&mut self, bytes: &[u8]) -> Progress {
        let room = (HEADER + MAX_FRAME).saturating_sub(self.0.len());
        self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
        let Some((&[a, b, c, kind, ..], rest)) = self.0.split_first_chunk::<HEADER>() else {
            return Progress::Incomplete;
        };
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        if kind != SETTINGS || length > MAX_FRAME {
            return Progress::NoSettings;
        }
        match rest.get(..length) {
            Some(settings) => Progress::Settings(max_concurrent_streams(settings)),
            None => Progress::Incomplete,
        }
    }
}

/// Of a setting that comes twice the last one counts.
fn max_concurrent_streams(settings: &[u8]) -> u32 {
    let (settings, _) = settings.as_chunks::<6>();
    let mut limits = settings.iter().filter_map(|&[id_high, id_low, a, b, c, d]| {
        let id = u16::from_be_bytes([id_high, id_low]);
        (id == MAX_CONCURRENT_STREAMS).then(|| u32::from_be_bytes([a, b, c, d]))
    });
    limits.next_back().unwrap_or(UNLIMITED)
}

impl<T: AsyncRead + Unpin> AsyncRead for SettingsTap<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let tap = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut tap.io).poll_read(context, buffer);
        if tap.listening.is_some() {
            tap.hear(&buffer.filled()[before..]);
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for SettingsTap<T> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const TEN_STREAMS: [u8; 21] =
        [0, 0, 12, 4, 0, 0, 0, 0, 0, /**/ 0, 4, 0, 1, 0, 0, /**/ 0, 3, 0, 0, 0, 10];

    #[test]
    fn the_limit_is_read_however_the_bytes_arrive() {
        for (frame, streams) in [(EMPTY.as_slice(), UNLIMITED), (&TEN_STREAMS, 10)] {
            for cut in 0..frame.len() {
                let mut first = FirstFrame::default();
                assert_eq!(first.push(&frame[..cut]), Progress::Incomplete);
                let rest = [&frame[cut..], b"whatever follows"].concat();
                assert_eq!(first.push(&rest), Progress::Settings(streams), "cut at {cut}");
            }
        }
    }

    #[test]
    fn what_is_no_settings_frame_says_nothing() {
        let too_long = [0xff, 0xff, 0xff, 4, 0, 0, 0, 0, 0];
        for bytes in [b"HTTP/1.1 400 Bad Request\r\n".as_slice(), &too_long] {
            assert_eq!(FirstFrame::default().push(bytes), Progress::NoSettings);
        }
    }

    #[test]
    fn half_a_setting_is_ignored() {
        let mut frame = TEN_STREAMS.to_vec();
        frame[2] = 11;
        assert_eq!(FirstFrame::default().push(&frame), Progress::Settings(UNLIMITED));
    }
}
