//! `login`: a person agrees in a browser, and the login is kept in a file. The browser comes back to this machine.

use deskferry_core::settings::Settings;
use deskferry_core::{Error, ErrorKind, Result};
use futures_core::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::App;
use super::choices::Choices;
use super::exit::Done;

/// The port of the callback address, as the platform's own tools use it.
pub(super) const PORT: u16 = 1717;
/// What the callback address ends in.
const PLACE: &str = "/OauthRedirect";
/// More than a request of a browser to this address has.
const MOST_BYTES: usize = 16 << 10;

/// A login that waits for a person.
pub trait Waiting: Send {
    /// The address that the person opens.
    fn address(&self) -> String;
    /// Whether an answer belongs to this login.
    fn is_ours(&self, state: &str) -> bool;
    /// Takes the code that the browser brought; says who logged in.
    fn finish(self: Box<Self>, code: String) -> BoxFuture<'static, Result<String>>;
}

/// Begins a login whose browser is sent back to this address.
pub type BeginLogin = fn(&Settings, &str) -> Result<Box<dyn Waiting>>;

#[expect(clippy::print_stdout, reason = "this is the program's own voice")]
pub(super) async fn login(app: &App, choices: &Choices, port: u16) -> Result<Done> {
    let told = choices.platform(app.sink.section)?;
    let failed = |e: std::io::Error| {
        Error::new(ErrorKind::Config, "wait for the browser", e.to_string())
            .with("port", port)
            .advise("Name another port with --port, the same as in the app's callback address")
    };
    let listener = TcpListener::bind(("127.0.0.1", port))
        .await
        .map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    let waiting = (app.sink.login)(&told, &format!("http://localhost:{port}{PLACE}"))?;
    println!("Open this address in a browser of this machine, as the migration user:\n");
    println!("{}\n", waiting.address());
    println!(
        "The app's callback address must be http://localhost:{port}{PLACE}. Waiting; Ctrl-C ends it."
    );
    let code = loop {
        let (stream, _) = listener.accept().await.map_err(failed)?;
        if let Some(answer) = heard(stream, waiting.as_ref()).await {
            break answer?;
        }
    };
    println!("{}", waiting.finish(code).await?);
    Ok(Done::Well)
}

/// The code of a browser that came back; none when it was something else, such as a picture for the address bar.
async fn heard(mut stream: TcpStream, waiting: &dyn Waiting) -> Option<Result<String>> {
    let head = head(&mut stream).await?;
    let answer = judged(&head, waiting);
    let (status, text) = match &answer {
        None => ("404 Not Found", "Nothing is here."),
        Some(Ok(_)) => ("200 OK", "Done. You can close this window."),
        Some(Err(_)) => ("400 Bad Request", "The login failed: the program says why."),
    };
    let page = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
    // Whether the person sees the page changes nothing.
    let _ = stream.write_all(page.as_bytes()).await;
    let _ = stream.shutdown().await;
    answer
}

/// The first line of a request, once its head is here.
async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut piece = [0; 2048];
    while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
        let n = stream.read(&mut piece).await.ok()?;
        if n == 0 || bytes.len() + n > MOST_BYTES {
            return None;
        }
        bytes.extend_from_slice(&piece[..n]);
    }
    let text = String::from_utf8_lossy(&bytes);
    text.lines().next().map(str::to_owned)
}

fn judged(line: &str, waiting: &dyn Waiting) -> Option<Result<String>> {
    let path = line.strip_prefix("GET ")?.split(' ').next()?;
    let query = path.strip_prefix(PLACE)?.strip_prefix('?')?;
    let value = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(key, _)| *key == name)
            .map(|(_, value)| decoded(value))
    };
    // What anybody else sends here neither ends this nor is believed.
    if !value("state").is_some_and(|state| waiting.is_ours(&state)) {
        return None;
    }
    Some(value("code").ok_or_else(|| {
        let said = value("error").unwrap_or_else(|| "no code came back".to_owned());
        let more = value("error_description").unwrap_or_default();
        Error::new(
            ErrorKind::Interactive,
            "log in",
            format!("{said} {more}").trim(),
        )
        .advise("Agree in the browser, as a user who is allowed to use the app")
    }))
}

/// A value as it stands in an address.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = |n: usize| bytes.get(n).and_then(|b| char::from(*b).to_digit(16));
        match (bytes[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            (b'+', ..) => {
                out.push(b' ');
                at += 1;
            }
            (byte, ..) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Ours;

    impl Waiting for Ours {
        fn address(&self) -> String {
            String::new()
        }

        fn is_ours(&self, state: &str) -> bool {
            state == "our state"
        }

        fn finish(self: Box<Self>, code: String) -> BoxFuture<'static, Result<String>> {
            Box::pin(async move { Ok(code) })
        }
    }

    #[test]
    fn only_the_answer_to_our_own_question_is_taken() {
        for (line, code) in [
            (
                "GET /OauthRedirect?code=a%2Bb%3D&state=our+state HTTP/1.1",
                Some("a+b="),
            ),
            (
                "GET /OauthRedirect?state=our%20state&code=x HTTP/1.1",
                Some("x"),
            ),
            ("GET /OauthRedirect?code=x&state=theirs HTTP/1.1", None),
            ("GET /OauthRedirect?code=x HTTP/1.1", None),
            ("GET /favicon.ico HTTP/1.1", None),
            ("POST /OauthRedirect?code=x&state=our+state HTTP/1.1", None),
            ("", None),
        ] {
            let heard = judged(line, &Ours).map(Result::unwrap);
            assert_eq!(heard.as_deref(), code, "{line}");
        }
        let refused = "GET /OauthRedirect?error=access_denied&error_description=end-user+denied&state=our+state HTTP/1.1";
        let error = judged(refused, &Ours).unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interactive);
        assert!(error.to_string().contains("end-user denied"), "{error}");
    }
}
