//! The API of a running server, asked over HTTP with the token of its data directory.

use super::args::Global;
use super::{Exit, Trouble};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Where the API is when nobody says otherwise.
const DEFAULT_SERVER: &str = "http://127.0.0.1:8080";
/// The file of the data directory in which a running server notes its API's address.
pub(super) const ADDRESS: &str = "admin.address";
/// The file of its token.
const TOKEN: &str = "admin.token";
/// How long a connection and one answer may take.
const CONNECT: Duration = Duration::from_secs(5);
/// A little longer than the server itself waits for its disk, so that it can say so.
const ANSWER: Duration = Duration::from_secs(35);
/// Octets of one answer.
const ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// A server to ask.
#[derive(Debug)]
pub(super) struct Client {
    authority: String,
    token: String,
    /// How long one answer may take.
    patience: Duration,
}

impl Client {
    /// Finds address and token.
    pub(super) fn new(global: &Global) -> Result<Client, Trouble> {
        let noted = || std::fs::read_to_string(global.data.join(ADDRESS)).ok().map(|text| text.trim().to_owned());
        let server = global.server.clone().or_else(noted).unwrap_or_else(|| DEFAULT_SERVER.to_owned());
        let authority = authority(&server)?;
        let path = global.data.join(TOKEN);
        let token = std::fs::read_to_string(&path).map_err(|error| no_token(&path, &error))?;
        let token = token.trim().to_owned();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            let path = path.display();
            return Err(Trouble::failed(format!("{path} holds no token; restart the server to have one made")));
        }
        Ok(Client { authority, token, patience: ANSWER })
    }

    /// The same for an answer that takes longer.
    pub(super) fn patient(self, patience: Duration) -> Client {
        Client { patience, ..self }
    }

    /// Asks for JSON.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Trouble> {
        self.ask(Method::GET, path, None, None).await
    }

    /// Asks for text.
    pub(super) async fn get_text(&self, path: &str) -> Result<String, Trouble> {
        let mut text = Vec::new();
        self.download(Method::GET, path, &mut text).await?;
        String::from_utf8(text).map_err(|_| Trouble::failed("the server answers, but not with text"))
    }

    /// Sends a file of TOML. What is wrong with it comes back as its problems.
    pub(super) async fn post_toml(&self, path: &str, text: String) -> Result<Result<Value, Vec<Value>>, Trouble> {
        let body = Some(("application/toml", Bytes::from(text)));
        let response = self.send(Method::POST, path, body, None).await?;
        let status = response.status();
        if !status.is_success() && status != StatusCode::UNPROCESSABLE_ENTITY {
            return Err(self.refusal(response).await);
        }
        let bytes = self.collect(response).await?;
        let wrong = |_| Trouble::failed(format!("{} answers, but not as ringback does", self.authority));
        let value: Value = serde_json::from_slice(&bytes).map_err(wrong)?;
        match value.get("problems").and_then(Value::as_array) {
            Some(problems) => Ok(Err(problems.clone())),
            None => Ok(Ok(value)),
        }
    }

    /// Asks for something to be done.
    pub(super) async fn post(&self, path: &str, body: Option<Value>, key: Option<&str>) -> Result<Value, Trouble> {
        self.ask(Method::POST, path, body, key).await
    }

    /// Sends a file as it is.
    pub(super) async fn upload(&self, path: &str, octets: Vec<u8>) -> Result<Value, Trouble> {
        let body = Some(("application/octet-stream", Bytes::from(octets)));
        self.told(self.send(Method::PUT, path, body, None).await?).await
    }

    /// All pages of a list, as one, to at most `limit` items.
    pub(super) async fn list(&self, path: &str, query: &[(&str, String)], limit: usize) -> Result<Value, Trouble> {
        let mut items = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let mut query = query.to_vec();
            query.push(("limit", limit.saturating_sub(items.len()).clamp(1, 500).to_string()));
            query.extend(next.take().map(|next| ("after", next)));
            let mut page = self.get(&format!("{path}{}", query_text(&query))).await?;
            if let Some(Value::Array(more)) = page.get_mut("items").map(Value::take) {
                items.extend(more);
            }
            next = page.get("next").and_then(Value::as_str).map(str::to_owned);
            if next.is_none() || items.len() >= limit {
                return Ok(serde_json::json!({ "items": items, "next": next }));
            }
        }
    }

    /// Streams a body into `sink`; how many octets it had.
    pub(super) async fn download(&self, method: Method, path: &str, sink: &mut dyn io::Write) -> Result<u64, Trouble> {
        let mut response = self.send(method, path, None, None).await?;
        if !response.status().is_success() {
            return Err(self.refusal(response).await);
        }
        let mut bytes = 0;
        while let Some(frame) = timeout(self.patience, response.body_mut().frame()).await.map_err(|_| self.silent())? {
            let frame = frame.map_err(|error| self.broken(&error))?;
            if let Some(data) = frame.data_ref() {
                sink.write_all(data)
                    .map_err(|error| Trouble::failed(format!("the file cannot be written: {error}")))?;
                bytes += data.len() as u64;
            }
        }
        Ok(bytes)
    }

    /// Asks in any way for JSON.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        key: Option<&str>,
    ) -> Result<Value, Trouble> {
        let body = body.map(|body| ("application/json", Bytes::from(body.to_string())));
        self.told(self.send(method, path, body, key).await?).await
    }

    /// What an answer says.
    async fn told(&self, response: Response<Incoming>) -> Result<Value, Trouble> {
        if !response.status().is_success() {
            return Err(self.refusal(response).await);
        }
        let bytes = self.collect(response).await?;
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        let wrong =
            |_| Trouble::failed(format!("{} answers, but not as ringback does; check --server", self.authority));
        serde_json::from_slice(&bytes).map_err(wrong)
    }

    async fn collect(&self, response: Response<Incoming>) -> Result<Bytes, Trouble> {
        let whole = Limited::new(response.into_body(), ANSWER_BYTES).collect();
        let whole = timeout(self.patience, whole).await.map_err(|_| self.silent())?;
        whole.map(|body| body.to_bytes()).map_err(|error| self.broken(&*error))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, Bytes)>,
        key: Option<&str>,
    ) -> Result<Response<Incoming>, Trouble> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header("host", &self.authority)
            .header("authorization", format!("Bearer {}", self.token))
            .header("accept", "application/json");
        if let Some((kind, _)) = &body {
            request = request.header("content-type", *kind);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let bytes = body.map_or_else(Bytes::new, |(_, bytes)| bytes);
        let request = request
            .body(Full::new(bytes))
            .map_err(|_| Trouble::new(Exit::Usage, "a name or key holds characters that cannot be sent"))?;
        let address = if self.authority.contains("]:") || self.authority.matches(':').count() == 1 {
            self.authority.clone()
        } else {
            format!("{}:80", self.authority)
        };
        let stream = timeout(CONNECT, TcpStream::connect(&address)).await.map_err(|_| self.silent())?;
        let stream = stream.map_err(|error| self.unreachable(&error))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| self.broken(&error))?;
        tokio::spawn(connection); // ends with the last answer
        timeout(self.patience, sender.send_request(request))
            .await
            .map_err(|_| self.silent())?
            .map_err(|error| self.broken(&error))
    }

    /// What the problem document (RFC 9457) says, in one sentence.
    async fn refusal(&self, response: Response<Incoming>) -> Trouble {
        let status = response.status();
        if status == StatusCode::UNAUTHORIZED {
            return Trouble::failed(format!(
                "{} does not take this token; name the data directory of that server with --data",
                self.authority
            ));
        }
        let body = match self.collect(response).await {
            Ok(body) => serde_json::from_slice::<Value>(&body).unwrap_or(Value::Null),
            Err(_) => Value::Null, // the status alone must do
        };
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(super::table::harmless);
        let said = text("detail").or_else(|| text("title")).unwrap_or_else(|| format!("the server answers {status}"));
        match text("field") {
            Some(field) if !said.contains(&field) => Trouble::failed(format!("{field}: {said}")),
            Some(_) | None => Trouble::failed(said),
        }
    }

    fn unreachable(&self, error: &io::Error) -> Trouble {
        let address = &self.authority;
        Trouble::new(
            Exit::Unreachable,
            format!(
                "no server answers at {address} ({error}); start it with `ringback serve`, or name it with --server"
            ),
        )
    }

    fn silent(&self) -> Trouble {
        let address = &self.authority;
        Trouble::new(
            Exit::Unreachable,
            format!("the server at {address} gives no answer; look at its log, or try again"),
        )
    }

    fn broken(&self, error: &dyn std::fmt::Display) -> Trouble {
        let address = &self.authority;
        Trouble::new(Exit::Unreachable, format!("the talk with {address} broke off ({error}); check --server"))
    }
}

fn no_token(path: &Path, error: &io::Error) -> Trouble {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => Trouble::new(
            Exit::Unreachable,
            format!(
                "there is no {shown}; start the server with `ringback serve`, or name its data directory with --data"
            ),
        ),
        _ => Trouble::failed(format!("{shown} cannot be read: {error}; run this as the user the server runs as")),
    }
}

fn authority(server: &str) -> Result<String, Trouble> {
    let wrong =
        |why: &str| Trouble::new(Exit::Usage, format!("--server {server:?} {why}; write http://127.0.0.1:8080"));
    let uri: Uri = server.trim_end_matches('/').parse().map_err(|_| wrong("is no URL"))?;
    if uri.scheme_str() == Some("https") {
        return Err(wrong("asks for TLS, which is not in this version"));
    }
    match uri.authority() {
        Some(authority) if uri.scheme_str() == Some("http") && matches!(uri.path(), "" | "/") => {
            Ok(authority.as_str().to_owned())
        }
        Some(_) | None => Err(wrong("is no http URL of a server")),
    }
}

/// `?a=1&b=2`
pub(super) fn query_text(query: &[(&str, String)]) -> String {
    let pairs: Vec<String> = query.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

/// Percent-encoding of everything but RFC 3986 §2.3's unreserved characters.
pub(super) fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_part_of_the_path() {
        assert_eq!(escape("a/../b?c#ü"), "a%2F..%2Fb%3Fc%23%C3%BC");
    }

    #[test]
    fn a_server_is_an_http_url_without_a_path() {
        assert_eq!(authority("http://[::1]:8080/").unwrap(), "[::1]:8080");
        assert_eq!(authority("http://pbx").unwrap(), "pbx");
        for wrong in ["pbx:8080", "https://pbx", "http://pbx/x", "ftp://pbx", ""] {
            assert_eq!(authority(wrong).unwrap_err().exit, Exit::Usage, "{wrong}");
        }
    }
}
