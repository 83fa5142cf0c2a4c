//! Batch files that lie elsewhere: in a bucket of S3, or on an SFTP server.

use std::path::PathBuf;
use std::sync::Arc;

use deskferry_core::http::SecretString;
use deskferry_core::{Error, ErrorKind, Result};

use super::{AsappConfig, AsappConfigBuilder, READ};
use crate::channels::Channel;

/// Where ASAPP keeps its buckets (ASAPP reference, section 3.1).
pub(super) fn region() -> String {
    "us-east-1".to_owned()
}

pub(super) const fn port() -> u16 {
    22
}

/// Whether an address leads to this machine.
#[cfg(feature = "s3")]
fn is_this_machine(address: &str) -> bool {
    let url = url::Url::parse(address).ok();
    url.and_then(|url| match url.host()? {
        url::Host::Domain(name) => Some(name == "localhost"),
        url::Host::Ipv4(ip) => Some(ip.is_loopback()),
        url::Host::Ipv6(ip) => Some(ip.is_loopback()),
    })
    .unwrap_or(false)
}

fn wrong<T>(what: &str) -> Result<T> {
    Err(Error::new(ErrorKind::Config, READ, what.to_owned()))
}

impl AsappConfigBuilder {
    /// Batch files in a bucket of S3: its name, the folder in it right below which the feeds lie, and the read-only pair of keys that ASAPP
    /// gave. Needs the feature `s3`.
    #[must_use]
    pub fn s3(
        mut self,
        bucket: impl Into<String>,
        prefix: impl Into<String>,
        access_key: impl Into<String>,
        secret_key: impl Into<SecretString>,
    ) -> Self {
        self.s3_bucket = bucket.into();
        self.s3_prefix = prefix.into();
        self.s3_access_key = access_key.into();
        self.s3_secret_key = secret_key.into();
        self
    }

    /// The region of the bucket, and the address of a service that speaks like S3, empty for Amazon's own. Defaults `us-east-1` and none.
    #[must_use]
    pub fn s3_at(mut self, region: impl Into<String>, endpoint: impl Into<String>) -> Self {
        self.s3_region = region.into();
        self.s3_endpoint = endpoint.into();
        self
    }

    /// Batch files on an SFTP server: its name and port, the user, and the file with the private key. Needs the feature `sftp`, and
    /// [`sftp_host_key`](Self::sftp_host_key).
    #[must_use]
    pub fn sftp(
        mut self,
        host: impl Into<String>,
        port: u16,
        user: impl Into<String>,
        key: impl Into<PathBuf>,
    ) -> Self {
        self.sftp_host = host.into();
        self.sftp_port = port;
        self.sftp_user = user.into();
        self.sftp_key = Some(key.into());
        self
    }

    /// The server's own key, without which no server is believed: fingerprints as `SHA256:…`, or lines as `ssh-keyscan` prints them, separated by commas.
    #[must_use]
    pub fn sftp_host_key(mut self, keys: impl Into<String>) -> Self {
        self.sftp_host_key = keys.into();
        self
    }

    /// The folder right below which the feeds lie, and what opens the private key where it is locked. Defaults: where one lands, and nothing.
    #[must_use]
    pub fn sftp_folder(
        mut self,
        folder: impl Into<String>,
        passphrase: impl Into<SecretString>,
    ) -> Self {
        self.sftp_folder = folder.into();
        self.sftp_key_passphrase = passphrase.into();
        self
    }

    pub(super) fn has_bucket(&self) -> bool {
        !self.s3_bucket.trim().is_empty()
    }

    pub(super) fn has_server(&self) -> bool {
        !self.sftp_host.trim().is_empty()
    }

    pub(super) fn check_remote(&self) -> Result<()> {
        if self.has_bucket() {
            if self.s3_access_key.trim().is_empty() || self.s3_secret_key.is_empty() {
                return wrong(
                    "`s3_bucket` needs `s3_access_key` and `s3_secret_key`: ASAPP gives a pair for each environment",
                );
            }
            if cfg!(not(feature = "s3")) {
                return wrong(
                    "this program was built without the feature that reads S3 (`asapp-s3`)",
                );
            }
        }
        if self.has_server() {
            if self.sftp_user.trim().is_empty() || self.sftp_key.is_none() {
                return wrong(
                    "`sftp_host` needs `sftp_user` and `sftp_key`: ASAPP takes no passwords",
                );
            }
            if self.sftp_host_key.trim().is_empty() {
                return wrong(
                    "`sftp_host` needs `sftp_host_key`: a server that nobody knows is not believed; `ssh-keyscan` prints its keys, and ASAPP knows which are right",
                );
            }
            if cfg!(not(feature = "sftp")) {
                return wrong(
                    "this program was built without the feature that reads SFTP (`asapp-sftp`)",
                );
            }
        }
        Ok(())
    }
}

impl AsappConfig {
    /// The channels to what lies elsewhere.
    ///
    /// # Errors
    /// `Config`: an address or a key that cannot be used.
    pub(crate) fn remote(&self) -> Result<Vec<Arc<dyn Channel>>> {
        #[cfg_attr(
            not(any(feature = "s3", feature = "sftp")),
            expect(unused_mut, reason = "without a feature there is none")
        )]
        let mut channels: Vec<Arc<dyn Channel>> = Vec::new();
        #[cfg(feature = "s3")]
        if self.0.has_bucket() {
            channels.push(Arc::new(crate::channels::Bucket::new(self.bucket())?));
        }
        #[cfg(feature = "sftp")]
        if self.0.has_server() {
            channels.push(Arc::new(crate::channels::Sftp::new(self.server())?));
        }
        Ok(channels)
    }

    #[cfg(feature = "s3")]
    fn bucket(&self) -> crate::channels::BucketAt {
        let told = &self.0;
        crate::channels::BucketAt {
            bucket: told.s3_bucket.trim().to_owned(),
            prefix: told.s3_prefix.trim().to_owned(),
            region: told.s3_region.trim().to_owned(),
            endpoint: told.s3_endpoint.trim().to_owned(),
            access_key: told.s3_access_key.trim().to_owned(),
            secret_key: told.s3_secret_key.clone(),
            allow_plain_http: told.allow_plain_http || is_this_machine(told.s3_endpoint.trim()),
            work: told.work.clone(),
        }
    }

    #[cfg(feature = "sftp")]
    fn server(&self) -> crate::channels::SftpAt {
        let told = &self.0;
        let keys = told.sftp_host_key.split(',').map(str::trim);
        crate::channels::SftpAt {
            host: told.sftp_host.trim().to_owned(),
            port: told.sftp_port,
            user: told.sftp_user.trim().to_owned(),
            key: told.sftp_key.clone().unwrap_or_default(),
            passphrase: told.sftp_key_passphrase.clone(),
            host_keys: keys
                .filter(|key| !key.is_empty())
                .map(str::to_owned)
                .collect(),
            folder: told.sftp_folder.trim().to_owned(),
            work: told.work.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_elsewhere_needs_its_keys() {
        let config = || AsappConfig::builder("acme", "x");
        let server = || config().sftp("sftp.example.org", 22, "sftpacme", "key");
        let cases = [
            (config().s3("exports", "", "", "").build(), "s3_access_key"),
            (
                config().sftp("sftp.example.org", 22, "", "key").build(),
                "sftp_user",
            ),
            (server().build(), "sftp_host_key"),
        ];
        for (config, word) in cases {
            let error = config.unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
        let whole = config().s3("exports", "acme", "id", "secret").build();
        assert_eq!(whole.is_ok(), cfg!(feature = "s3"), "{whole:?}");
        let whole = server().sftp_host_key("SHA256:x").build();
        assert_eq!(whole.is_ok(), cfg!(feature = "sftp"), "{whole:?}");
        let shown = format!("{:?}", config().s3("exports", "", "id", "very-secret"));
        assert!(!shown.contains("very-secret"), "{shown}");
    }
}
