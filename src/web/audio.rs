//! `/recordings/{id}/audio`: the WAV file, whole or one range of it (RFC 9110 §14), read as it is sent.
//!
//! The path is made from the id alone, and the last step follows no link (security.md T43).

use super::live::recording_id;
use super::{Problem, Shared};
use crate::run::recorder;
use crate::switch::command::{Command, Reply};
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncSeekExt, ReadBuf, SeekFrom};

/// Octets read at once.
const CHUNK: usize = 64 * 1024;

pub(super) async fn play(State(site): Shared, Path(id): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let id = recording_id(&id)?;
    match site.commands.ask(Command::ShowRecording(id)).await? {
        Reply::Recording(recording) if recording.deleted_at.is_some() => {
            return Err(Problem::new(StatusCode::GONE, "the audio of this recording has been deleted"));
        }
        Reply::Recording(recording) if recording.path.is_some() => {}
        Reply::Recording(_) => {
            return Err(Problem::new(StatusCode::CONFLICT, "this recording has no file, or not yet"));
        }
        Reply::Refused(refused) => return Err(refused.into()),
        other => unreachable!("a recording is answered by itself or a refusal, not by {other:?}"),
    }
    let gone = |_| Problem::new(StatusCode::GONE, "the file of this recording is not there any more");
    let path = site.data.join(recorder::relative_path(id));
    let no_follow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let mut file = tokio::fs::OpenOptions::new().read(true).custom_flags(no_follow).open(path).await.map_err(gone)?;
    let length = file.metadata().await.map_err(gone)?.len();
    let asked = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let (status, first, end) = match range(asked, length) {
        Range::Whole => (StatusCode::OK, 0, length),
        Range::Part(first, end) => (StatusCode::PARTIAL_CONTENT, first, end),
        Range::Outside => {
            let problem = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, format!("the file has {length} octets"));
            return Ok(([(header::CONTENT_RANGE, format!("bytes */{length}"))], problem).into_response());
        }
    };
    file.seek(SeekFrom::Start(first)).await.map_err(gone)?;
    let body = Body::new(FileBody::new(file, end - first));
    let mut response =
        (status, [(header::CONTENT_TYPE, "audio/wav"), (header::ACCEPT_RANGES, "bytes")], body).into_response();
    if status == StatusCode::PARTIAL_CONTENT {
        let value = format!("bytes {first}-{}/{length}", end - 1).parse().expect("digits are a header value");
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
    Ok(response)
}

#[derive(Debug, PartialEq)]
enum Range {
    Whole,
    /// From the first to before the second.
    Part(u64, u64),
    Outside,
}

/// One range of octets; several, or what cannot be read, is answered with the whole (RFC 9110 §14.2).
fn range(header: Option<&str>, length: u64) -> Range {
    let Some((first, last)) = header.and_then(|value| value.strip_prefix("bytes=")?.split_once('-')) else {
        return Range::Whole;
    };
    match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(first), Ok(last)) if first > last => Range::Whole,
        (Ok(first), _) if first >= length => Range::Outside,
        (Ok(first), Ok(last)) => Range::Part(first, length.min(last.saturating_add(1))),
        (Ok(first), Err(_)) if last.trim().is_empty() => Range::Part(first, length),
        (Err(_), Ok(0)) if first.trim().is_empty() => Range::Outside,
        (Err(_), Ok(_)) if first.trim().is_empty() && length == 0 => Range::Outside,
        (Err(_), Ok(suffix)) if first.trim().is_empty() => Range::Part(length.saturating_sub(suffix), length),
        (Ok(_) | Err(_), _) => Range::Whole,
    }
}

/// So many octets of a file, from where it stands.
pub(super) struct FileBody {
    file: File,
    left: u64,
    buffer: Vec<u8>,
}

impl FileBody {
    /// `left` octets of `file`.
    pub(super) fn new(file: File, left: u64) -> FileBody {
        FileBody { file, left, buffer: vec![0; CHUNK] }
    }

    /// The last octet has been handed out.
    pub(super) fn is_handed_out(&self) -> bool {
        self.left == 0
    }
}

impl HttpBody for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let FileBody { file, left, buffer } = self.get_mut();
        if *left == 0 {
            return Poll::Ready(None);
        }
        let chunk = usize::try_from(*left).unwrap_or(CHUNK).min(CHUNK);
        let mut read = ReadBuf::new(&mut buffer[..chunk]);
        if let Err(error) = ready!(Pin::new(file).poll_read(cx, &mut read)) {
            return Poll::Ready(Some(Err(error)));
        }
        let bytes = Bytes::copy_from_slice(read.filled());
        if bytes.is_empty() {
            return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))); // It has shrunk meanwhile.
        }
        *left -= bytes.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        assert_eq!(range(None, 100), Range::Whole);
        assert_eq!(range(Some("bytes=0-9"), 100), Range::Part(0, 10));
        assert_eq!(range(Some("bytes=90-"), 100), Range::Part(90, 100));
        assert_eq!(range(Some("bytes=90-500"), 100), Range::Part(90, 100));
        assert_eq!(range(Some("bytes=-10"), 100), Range::Part(90, 100));
        assert_eq!(range(Some("bytes=-500"), 100), Range::Part(0, 100));
        assert_eq!(range(Some("bytes=100-"), 100), Range::Outside);
        assert_eq!(range(Some("bytes=-0"), 100), Range::Outside);
        for odd in ["bytes=9-3", "bytes=0-1,4-5", "seconds=1-2", "bytes=x-", "bytes=-"] {
            assert_eq!(range(Some(odd), 100), Range::Whole, "{odd}");
        }
    }
}
