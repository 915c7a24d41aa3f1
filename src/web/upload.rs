//! A sound sent by the form of a prompt: `multipart/form-data` (RFC 7578), as browsers send files.

use super::forms::uploading;
use super::page::{escaped_path, see_other};
use super::prompts::not_taken;
use super::roles::Caller;
use super::{Problem, Shared};
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use memchr::memmem;

/// Octets of what a form says beside its file.
pub(super) const BESIDE: usize = 16 * 1024;
/// Parts of a form of ours, and a few that a browser may add.
const PARTS: usize = 8;

/// What was sent.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sent<'a> {
    name: String,
    sound: &'a [u8],
}

pub(super) async fn sound(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let wrong = |name: &str, status, why: &str| Ok(uploading(&caller, name, &Problem::new(status, why)));
    let body = match body {
        Ok(body) => body,
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            let most = crate::limits::PROMPT_BYTES >> 20;
            let why = format!("the file is larger than {most} MiB, the most that one sound may be");
            return wrong("", StatusCode::PAYLOAD_TOO_LARGE, &why);
        }
        Err(_) => return wrong("", StatusCode::BAD_REQUEST, "the file broke off on its way: send it again"),
    };
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some(Sent { name, sound }) = boundary(kind).and_then(|boundary| read(boundary, &body)) else {
        return wrong("", StatusCode::BAD_REQUEST, "this is no form with a file, as browsers send it");
    };
    let name = name.trim();
    if name.is_empty() {
        return wrong(name, StatusCode::UNPROCESSABLE_ENTITY, "say what the sound is called");
    }
    if sound.is_empty() {
        return wrong(name, StatusCode::UNPROCESSABLE_ENTITY, "choose a file");
    }
    let done = caller.done("import", Some(format!("prompt/{name}")));
    match site.editor()?.import(name, sound.to_vec(), done).await {
        Ok(_) => Ok(see_other(&format!("/config/prompt/{}", escaped_path(name)))),
        Err(why) => Ok(uploading(&caller, name, &not_taken(name, why))),
    }
}

/// The boundary of a form's parts (RFC 2046 §5.1.1).
fn boundary(kind: &str) -> Option<&str> {
    let (essence, parameters) = kind.split_once(';')?;
    if !essence.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let mut named = parameters.split(';').filter_map(|parameter| parameter.trim().split_once('='));
    let (_, boundary) = named.find(|(name, _)| name.eq_ignore_ascii_case("boundary"))?;
    let boundary = boundary.trim_matches('"');
    (1..=70).contains(&boundary.len()).then_some(boundary)
}

/// The fields we ask for; whatever else is in it is passed over.
fn read<'a>(boundary: &str, body: &'a [u8]) -> Option<Sent<'a>> {
    let delimiter = format!("\r\n--{boundary}");
    let mut sent = Sent::default();
    let mut rest = body.strip_prefix(&delimiter.as_bytes()[2..])?;
    for _ in 0..PARTS {
        if rest.starts_with(b"--") {
            return Some(sent);
        }
        rest = rest.strip_prefix(b"\r\n")?;
        let head = memmem::find(rest, b"\r\n\r\n")?;
        let (head, after) = (std::str::from_utf8(&rest[..head]).ok()?, &rest[head + 4..]);
        let end = memmem::find(after, delimiter.as_bytes())?;
        match field(head)? {
            "name" => sent.name = std::str::from_utf8(&after[..end]).ok()?.to_owned(),
            "sound" => sent.sound = &after[..end],
            _ => {} // A button, say.
        }
        rest = &after[end + delimiter.len()..];
    }
    None
}

/// The name of a part's field. That of its file is not looked at: it is the sender's own (security.md T43).
fn field(head: &str) -> Option<&str> {
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-disposition"))?;
    let (_, name) = value.split_once("; name=\"")?;
    name.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "--x\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\ngreeting\r\n\
        --x\r\nContent-Disposition: form-data; name=\"sound\"; filename=\"../../name=\"\r\n\
        Content-Type: audio/wav\r\n\r\nRIFF\r\n\r\n--y\0\r\n--x--\r\n";

    #[test]
    fn a_form_with_a_file_is_read_as_browsers_send_it() {
        let sent = read("x", FORM.as_bytes());

        assert_eq!(sent, Some(Sent { name: "greeting".to_owned(), sound: b"RIFF\r\n\r\n--y\0" }));
        assert_eq!(boundary("multipart/form-data; boundary=----WebKitX"), Some("----WebKitX"));
        assert_eq!(boundary("Multipart/Form-Data; charset=utf-8; boundary=\"a b\""), Some("a b"));
        for wrong in ["", "multipart/form-data", "multipart/form-data; boundary=", "text/plain; boundary=x"] {
            assert_eq!(boundary(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_cut_off_or_no_form_is_nothing() {
        for end in 0..FORM.len() - 4 {
            assert_eq!(read("x", &FORM.as_bytes()[..end]), None, "{end}");
        }
        let many = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n".repeat(PARTS);
        assert_eq!(read("x", format!("{many}--x--\r\n").as_bytes()), None);
        bolero::check!().with_type::<(u16, Vec<u8>)>().for_each(|(at, noise)| {
            let mut form = FORM.as_bytes().to_vec();
            let at = usize::from(*at) % form.len();
            form.splice(at..at, noise.iter().copied());
            let _ = read("x", &form);
        });
    }
}
