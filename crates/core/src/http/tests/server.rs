//! A server that answers by a closure: one call per request, with the request's number from 0.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// `GET /path?query`
    pub(super) line: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// What the server does with a request.
pub(super) enum Reply {
    /// Answers and keeps the connection.
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Writes exactly this and closes the connection.
    Raw(Vec<u8>),
    /// Closes the connection without an answer.
    Hangup,
    /// Writes this and then nothing more.
    Stall(Vec<u8>),
}

pub(super) fn answer(status: u16, body: &str) -> Reply {
    Reply::Answer(status, Vec::new(), body.as_bytes().to_vec())
}

pub(super) fn answer_with(status: u16, name: &'static str, value: impl Into<String>) -> Reply {
    Reply::Answer(
        status,
        vec![(name, value.into())],
        format!("status {status}").into_bytes(),
    )
}

type Script = dyn Fn(&Seen, usize) -> Reply + Send + Sync;

pub(super) struct Server {
    address: SocketAddr,
    secure: bool,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    pub(super) async fn start(
        script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::launch(None, Arc::new(script)).await
    }

    pub(super) async fn start_tls(
        acceptor: TlsAcceptor,
        script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::launch(Some(acceptor), Arc::new(script)).await
    }

    /// Answers the first request with the first reply and so on, the last one for ever.
    pub(super) async fn scripted(
        replies: &'static [(u16, &'static [(&'static str, &'static str)])],
    ) -> Self {
        Self::start(move |_, n| {
            let (status, headers) = replies[n.min(replies.len() - 1)];
            let headers = headers
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect();
            Reply::Answer(status, headers, format!("answer {n}").into_bytes())
        })
        .await
    }

    async fn launch(tls: Option<TlsAcceptor>, script: Arc<Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let secure = tls.is_some();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let (script, log, tls) = (Arc::clone(&script), Arc::clone(&log), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        // A client that does not trust us breaks off: not our concern.
                        Some(tls) => {
                            if let Ok(socket) = tls.accept(socket).await {
                                converse(socket, &script, &log).await;
                            }
                        }
                        None => converse(socket, &script, &log).await,
                    }
                });
            }
        });
        Self {
            address,
            secure,
            seen,
            task,
        }
    }

    pub(super) fn url(&self, path: &str) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.address)
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(super) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    mut socket: S,
    script: &Arc<Script>,
    log: &Mutex<Vec<Seen>>,
) {
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut socket, &mut buffer).await {
        let number = {
            let mut log = log.lock().unwrap();
            log.push(request.clone());
            log.len() - 1
        };
        let (bytes, keep) = match script(&request, number) {
            Reply::Answer(status, headers, body) => (write_answer(status, &headers, &body), true),
            Reply::Raw(bytes) => (bytes, false),
            Reply::Hangup => (Vec::new(), false),
            Reply::Stall(bytes) => {
                let _ = socket.write_all(&bytes).await;
                let _ = socket.flush().await;
                std::future::pending::<()>().await;
                return;
            }
        };
        if socket.write_all(&bytes).await.is_err() || !keep {
            break;
        }
        let _ = socket.flush().await;
    }
    let _ = socket.shutdown().await;
}

fn write_answer(status: u16, headers: &[(&'static str, String)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} Status\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if status != 204 && status != 304 {
        text.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    [text.as_bytes(), body].concat()
}

async fn read_request<S: AsyncRead + Unpin>(socket: &mut S, buffer: &mut Vec<u8>) -> Option<Seen> {
    let head = loop {
        if let Some(end) = find(buffer, b"\r\n\r\n") {
            break buffer.drain(..end + 4).collect::<Vec<_>>();
        }
        fill(socket, buffer).await?;
    };
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.trim_end().split("\r\n");
    let line = lines
        .next()
        .unwrap()
        .trim_end_matches(" HTTP/1.1")
        .to_owned();
    let headers: Vec<_> = lines
        .map(|l| l.split_once(": ").unwrap())
        .map(|(n, v)| (n.to_owned(), v.to_owned()))
        .collect();
    let mut request = Seen {
        line,
        headers,
        body: Vec::new(),
    };
    assert!(
        request.header("transfer-encoding").is_none(),
        "bodies are sent with their length"
    );
    let length: usize = request
        .header("content-length")
        .map_or(0, |l| l.parse().unwrap());
    while buffer.len() < length {
        fill(socket, buffer).await?;
    }
    request.body = buffer.drain(..length).collect();
    Some(request)
}

async fn fill<S: AsyncRead + Unpin>(socket: &mut S, buffer: &mut Vec<u8>) -> Option<()> {
    match socket.read_buf(buffer).await {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(()),
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}
