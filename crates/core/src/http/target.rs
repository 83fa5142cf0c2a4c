//! Addresses: what a request's path means, who gets credentials, where plain text is allowed.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::{Host, Origin, Url};

use super::reach::{self, Private};
use super::redact;
use crate::error::{Error, ErrorKind, Result, Retry};

const UNRESERVED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// One piece of a path, percent-encoded: an id that comes from data cannot change the path.
///
/// ```
/// assert_eq!(deskferry_core::http::path_segment("a/b?c"), "a%2Fb%3Fc");
/// assert_eq!(deskferry_core::http::path_segment(".."), "%2E%2E");
/// ```
#[must_use]
pub fn path_segment(text: &str) -> String {
    if text == "." || text == ".." {
        return text.replace('.', "%2E");
    }
    utf8_percent_encode(text, &UNRESERVED).to_string()
}

/// Where a client sends its requests.
#[derive(Debug, Clone)]
pub(super) struct Base {
    text: String,
    origin: Origin,
    allow_plain: bool,
    allow_private: bool,
}

impl Base {
    /// Checks an address that a person configured.
    pub(super) fn parse(text: &str, allow_plain: bool) -> Result<Self> {
        let wrong = |what: String| {
            Error::new(ErrorKind::Config, "read the base address", what)
                .with("address", redact::raw_url(text))
                .advise("Write it as https://host/path")
        };
        let url =
            Url::parse(text.trim()).map_err(|e| wrong(format!("this is not an address: {e}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong(format!("`{}` is not http or https", url.scheme())));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("an address must not hold a user or password".into()));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("a base address has no `?` and no `#`".into()));
        }
        let base = Self {
            text: url.as_str().trim_end_matches('/').to_owned(),
            origin: url.origin(),
            allow_plain,
            allow_private: false,
        };
        base.allow(&url, "read the base address")?;
        Ok(base)
    }

    /// Lets links of other hosts lead to private addresses.
    pub(super) fn allow_private(mut self, allow: bool) -> Self {
        self.allow_private = allow;
        self
    }

    /// The base address, as text.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The address of a path (joined to the base's path) or of an absolute address, with more query pairs.
    pub(super) fn resolve(
        &self,
        path: &str,
        query: &[(String, String)],
        operation: &str,
    ) -> Result<Url> {
        let text = if is_absolute(path) {
            path.to_owned()
        } else if path.is_empty() {
            self.text.clone()
        } else if path.starts_with('?') {
            format!("{}{path}", self.text)
        } else {
            format!("{}/{}", self.text, path.trim_start_matches('/'))
        };
        let mut url = Url::parse(&text).map_err(|e| {
            Error::new(
                ErrorKind::Protocol,
                operation.to_owned(),
                format!("cannot follow the address: {e}"),
            )
            .with("address", redact::raw_url(&text))
        })?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        forget_user(&mut url);
        self.allow(&url, operation)?;
        Ok(url)
    }

    /// Where an answer redirects to; encrypted never leads to plain.
    pub(super) fn redirect(&self, from: &Url, location: &str, operation: &str) -> Result<Url> {
        let wrong = |what: String| {
            Error::new(ErrorKind::Protocol, operation.to_owned(), what)
                .with("url", redact::url(from))
        };
        let mut to = from
            .join(location)
            .map_err(|e| wrong(format!("redirected to what is no address: {e}")))?;
        if !matches!(to.scheme(), "http" | "https") {
            return Err(wrong(format!(
                "redirected to `{}`, which is not http",
                to.scheme()
            )));
        }
        if from.scheme() == "https" && to.scheme() == "http" {
            return Err(wrong("redirected from https to plain http".into())
                .with("location", redact::url(&to)));
        }
        forget_user(&mut to);
        self.allow(&to, operation)?;
        Ok(to)
    }

    /// Whether credentials may be sent there: same scheme, host and port as the base.
    pub(super) fn owns(&self, url: &Url) -> bool {
        url.origin() == self.origin
    }

    /// Whether names of this address are looked up with care: it is not ours, and may be anybody's.
    pub(super) fn is_stranger(&self, url: &Url) -> bool {
        !self.allow_private && !self.owns(url)
    }

    /// Whether the base is this machine.
    pub(super) fn is_local(&self) -> bool {
        Url::parse(&self.text).is_ok_and(|url| is_loopback(&url))
    }

    fn allow(&self, url: &Url, operation: &str) -> Result<()> {
        if !self.allow_private
            && !self.owns(url)
            && let Some(private) = reach::private_literal(url)
        {
            let what = format!("a link to another host is refused: {private}");
            return Err(Error::new(ErrorKind::Refused, operation.to_owned(), what)
                .with("url", redact::url(url))
                .advise(Private::ADVICE)
                .retry(Retry::Never));
        }
        match url.scheme() {
            "https" => Ok(()),
            "http" if self.allow_plain || is_loopback(url) => Ok(()),
            "http" => Err(Error::new(
                ErrorKind::Config,
                operation.to_owned(),
                "plain http is refused",
            )
            .with("url", redact::url(url))
            .advise(
                "Use https, or allow plain http in the configuration if the network is trusted",
            )),
            other => Err(Error::new(
                ErrorKind::Protocol,
                operation.to_owned(),
                format!("`{other}` is not http"),
            )),
        }
    }
}

/// A user in an address would become a credential on the wire.
fn forget_user(url: &mut Url) {
    let _ = url.set_username("");
    let _ = url.set_password(None);
}

fn is_absolute(path: &str) -> bool {
    let start = path.get(..8).unwrap_or(path).to_ascii_lowercase();
    start.starts_with("http://") || start.starts_with("https://")
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_address_is_checked_when_it_is_read() {
        let cases = [
            ("https://desk.example.org/api/v1/", true),
            ("http://127.0.0.1:8080", true),
            ("http://[::1]:8080", true),
            ("http://localhost:1", true),
            ("http://desk.example.org", false),
            ("http://127.0.0.1.example.org", false),
            ("ftp://desk.example.org", false),
            ("desk.example.org", false),
            ("https://ada:pw@desk.example.org", false),
            ("https://desk.example.org/?token=x", false),
            ("", false),
        ];
        for (text, good) in cases {
            let parsed = Base::parse(text, false);
            assert_eq!(parsed.is_ok(), good, "{text}");
            if let Err(error) = parsed {
                assert_eq!(error.kind(), ErrorKind::Config, "{text}");
                assert!(!error.to_string().contains("pw"), "{error}");
            }
        }
        assert!(Base::parse("http://desk.example.org", true).is_ok());
    }

    #[test]
    fn a_path_joins_the_base_and_keeps_its_host() {
        let base = Base::parse("https://desk.example.org/api/v1/", false).unwrap();
        let cases = [
            ("cases.json", "https://desk.example.org/api/v1/cases.json"),
            (
                "/cases?limit=5",
                "https://desk.example.org/api/v1/cases?limit=5&a=1%2B2",
            ),
            (
                "//evil.example.net/x",
                "https://desk.example.org/api/v1/evil.example.net/x",
            ),
            (
                "?offset=5",
                "https://desk.example.org/api/v1?offset=5&a=1%2B2",
            ),
            ("", "https://desk.example.org/api/v1"),
            ("HTTPS://files.example.net/x", "https://files.example.net/x"),
            (
                "https://u:p@files.example.net/x",
                "https://files.example.net/x",
            ),
        ];
        for (path, address) in cases {
            let query: Vec<_> = if path.contains('?') {
                vec![("a".into(), "1+2".into())]
            } else {
                vec![]
            };
            assert_eq!(
                base.resolve(path, &query, "read").unwrap().as_str(),
                address,
                "{path}"
            );
        }
    }

    #[test]
    fn only_the_same_scheme_host_and_port_own_the_credentials() {
        let base = Base::parse("https://desk.example.org/api", false).unwrap();
        let cases = [
            ("https://desk.example.org/other", true),
            ("https://desk.example.org:443/other", true),
            ("https://desk.example.org:8443/", false),
            ("http://desk.example.org/", false),
            ("https://desk.example.org.evil.example.net/", false),
        ];
        for (url, owned) in cases {
            assert_eq!(base.owns(&Url::parse(url).unwrap()), owned, "{url}");
        }
    }

    #[test]
    fn a_redirect_never_leads_from_https_to_http_or_out_of_http() {
        let base = Base::parse("https://desk.example.org", true).unwrap();
        let from = Url::parse("https://desk.example.org/a/b").unwrap();
        assert_eq!(
            base.redirect(&from, "../c", "read").unwrap().as_str(),
            "https://desk.example.org/c"
        );
        for location in [
            "http://desk.example.org/x",
            "http://127.0.0.1/x",
            "file:///etc/passwd",
            "https://",
        ] {
            let error = base.redirect(&from, location, "read").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Protocol, "{location}");
        }
    }
}
