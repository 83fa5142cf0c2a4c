//! How to reach a Kayako Classic helpdesk.

use std::fmt;

use deskferry_core::Result;
use deskferry_core::http::SecretString;
use deskferry_core::settings::Settings;

use super::{Dates, Edition, KayakoConfig, KayakoConfigBuilder, Rate, address_of, wrong};

/// A checked configuration of a Kayako Classic helpdesk; see [`ClassicConfig::builder`], or read it from the same settings as
/// a [`KayakoConfig`].
///
/// ```
/// use deskferry_source_kayako::ClassicConfig;
///
/// let config = ClassicConfig::builder("https://support.example.org/desk", "key", "secret").build()?;
/// assert_eq!(config.url(), "https://support.example.org/desk");
/// assert_eq!(config.instance(), "support.example.org/desk");
/// assert!(!format!("{config:?}").contains("secret\""));
/// # Ok::<(), deskferry_core::Error>(())
/// ```
#[derive(Clone)]
pub struct ClassicConfig {
    root: String,
    instance: String,
    settings: KayakoConfigBuilder,
}

/// What a [`ClassicConfig`] is made of; [`build`](Self::build) checks it.
#[derive(Clone)]
pub struct ClassicConfigBuilder(KayakoConfigBuilder);

impl ClassicConfig {
    /// Starts with what cannot be guessed: the helpdesk's address, with the path below which it is installed, and the key and
    /// secret that its Admin Control Panel shows under REST API.
    pub fn builder(
        url: impl Into<String>,
        api_key: impl Into<SecretString>,
        secret_key: impl Into<SecretString>,
    ) -> ClassicConfigBuilder {
        let mut builder = KayakoConfig::at(url);
        builder.api_key = api_key.into();
        builder.secret_key = secret_key.into();
        ClassicConfigBuilder(builder)
    }

    /// From what was told by the environment, a file, or both.
    ///
    /// # Errors
    /// `Config`: something is missing, or does not go together.
    pub fn from_settings(settings: &Settings) -> Result<Self> {
        let builder: KayakoConfigBuilder = settings.configure()?;
        for (key, value) in [
            ("api_key", &builder.api_key),
            ("secret_key", &builder.secret_key),
        ] {
            if value.is_empty() {
                return Err(settings.missing(key).advise(
                    "Kayako Classic is read with the key and the secret of its REST interface: the Admin Control Panel shows both",
                ));
            }
        }
        ClassicConfigBuilder(builder).build()
    }

    /// The helpdesk's address, with its path.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.root
    }

    /// The name under which its records are known.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.instance
    }

    pub(crate) fn keys(&self) -> (SecretString, SecretString) {
        (
            self.settings.api_key.clone(),
            self.settings.secret_key.clone(),
        )
    }

    pub(crate) fn rate(&self) -> Rate {
        self.settings.requests_per_minute
    }

    pub(crate) fn parallel(&self) -> usize {
        self.settings.parallel
    }

    pub(crate) fn dates(&self) -> Dates {
        self.settings.dates
    }

    pub(crate) fn language(&self) -> &str {
        &self.settings.language
    }

    pub(crate) fn allow_plain_http(&self) -> bool {
        self.settings.allow_plain_http
    }

    pub(crate) fn root_certificate(&self) -> Option<&str> {
        self.settings.root_certificate.as_deref()
    }
}

impl fmt::Debug for ClassicConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClassicConfig")
            .field("url", &self.root)
            .field("instance", &self.instance)
            .field("dates", &self.settings.dates)
            .field("rate", &self.settings.requests_per_minute)
            .finish_non_exhaustive()
    }
}

impl ClassicConfigBuilder {
    /// The name under which the helpdesk's records are known for ever: Classic tells none of its own. Default: host and path of
    /// its address.
    #[must_use]
    pub fn instance(mut self, name: impl Into<String>) -> Self {
        self.0.instance = name.into();
        self
    }

    /// How days are written in custom fields. Default [`Dates::Auto`].
    #[must_use]
    pub fn dates(mut self, dates: Dates) -> Self {
        self.0.dates = dates;
        self
    }

    /// The language of its knowledge base, which has one. Default `en-us`.
    #[must_use]
    pub fn language(mut self, locale: impl Into<String>) -> Self {
        self.0.language = locale.into();
        self
    }

    /// The most requests that go out in a minute. Default: found out, from 60 on.
    #[must_use]
    pub fn requests_per_minute(mut self, requests: u32) -> Self {
        self.0.requests_per_minute = Rate::AtMost(requests);
        self
    }

    /// How many lists of tickets may be read at once. Default 4.
    #[must_use]
    pub fn parallel(mut self, shards: usize) -> Self {
        self.0.parallel = shards;
        self
    }

    /// Allows plain http to other machines than this one: the key would be seen on the way, and each signature. Default no.
    #[must_use]
    pub fn allow_plain_http(mut self, allow: bool) -> Self {
        self.0.allow_plain_http = allow;
        self
    }

    /// A certificate to trust beside those of the system, as PEM text. Default none.
    #[must_use]
    pub fn root_certificate(mut self, pem: impl Into<String>) -> Self {
        self.0.root_certificate = Some(pem.into());
        self
    }

    /// Checks everything that can be checked without the network.
    ///
    /// # Errors
    /// `Config`: no address; no key or no secret, or an account of the cloud beside them; plain http to another machine; a
    /// number that makes no sense.
    pub fn build(self) -> Result<ClassicConfig> {
        let settings = self.0;
        if settings.edition == Edition::Cloud || settings.has_account() {
            return Err(
                wrong("an account or token is for Kayako in the cloud; Classic takes a REST key and its secret")
                    .advise("Keep one of the two"),
            );
        }
        if settings.api_key.is_empty() || settings.secret_key.is_empty() {
            return Err(wrong("the REST key or its secret is empty"));
        }
        if settings.requests_per_minute == Rate::AtMost(0) || settings.parallel == 0 {
            return Err(wrong(
                "requests a minute and shards at once must be at least one",
            ));
        }
        let root = root_of(&settings.url, settings.allow_plain_http)?;
        let told = settings.instance.trim();
        let instance = match told.is_empty() {
            true => root
                .split_once("://")
                .map_or(root.as_str(), |(_, rest)| rest)
                .to_owned(),
            false => told.to_owned(),
        };
        Ok(ClassicConfig {
            root,
            instance,
            settings,
        })
    }
}

impl fmt::Debug for ClassicConfigBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Pages of a helpdesk behind its own path: people copy these.
const PAGES: [&str; 6] = ["api", "staff", "admin", "intranet", "visitor", "index.php"];

/// Scheme, host, port and the path below which the helpdesk is installed.
fn root_of(typed: &str, allow_plain_http: bool) -> Result<String> {
    let url = address_of(typed, allow_plain_http)?;
    let pieces = url.path_segments().into_iter().flatten();
    let own: Vec<&str> = pieces
        .take_while(|piece| !PAGES.contains(&piece.to_ascii_lowercase().as_str()))
        .filter(|piece| !piece.is_empty())
        .collect();
    let mut root = url.origin().ascii_serialization();
    for piece in own {
        root.push('/');
        root.push_str(piece);
    }
    Ok(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_people_type_keeps_the_path_of_the_helpdesk() {
        for (typed, root) in [
            ("support.example.org", "https://support.example.org"),
            (
                "https://example.org/support/",
                "https://example.org/support",
            ),
            (
                "https://example.org/support/api/index.php?e=/Core/TestAPI",
                "https://example.org/support",
            ),
            (
                "example.org/desk/staff/index.php",
                "https://example.org/desk",
            ),
            ("http://127.0.0.1:3999", "http://127.0.0.1:3999"),
        ] {
            assert_eq!(root_of(typed, false).unwrap(), root, "{typed}");
        }
        assert!(root_of("http://support.example.org", false).is_err());
    }

    #[test]
    fn the_account_says_which_product_is_meant_and_two_accounts_are_refused() {
        let read = |json: &str| serde_json::from_str::<KayakoConfigBuilder>(json).unwrap();
        let key = r#""api_key":"hidden","secret_key":"hidden""#;
        let account = r#""email":"a@example.org","password":"hidden""#;
        for (told, means) in [
            (account.to_owned(), Edition::Cloud),
            (key.to_owned(), Edition::Classic),
            (r#""edition":"classic""#.to_owned(), Edition::Classic),
            (String::from(r#""edition":"cloud""#), Edition::Cloud),
        ] {
            let builder = read(&format!(r#"{{"url":"acme",{told}}}"#));
            assert_eq!(builder.edition(), means, "{told}");
        }
        let both = read(&format!(r#"{{"url":"acme",{account},{key}}}"#));
        let error = both.clone().build().unwrap_err();
        assert!(error.to_string().contains("REST key"), "{error}");
        let error = ClassicConfigBuilder(both).build().unwrap_err();
        assert!(error.to_string().contains("in the cloud"), "{error}");
        for (api, secret) in [("", "s"), ("k", "")] {
            assert!(
                ClassicConfig::builder("example.org", api, secret)
                    .build()
                    .is_err()
            );
        }
    }
}
