//! What lets a call in: the key, a random salt, and the salt signed with the secret (Kayako reference, section 19).

use std::fmt::Write as _;

use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use deskferry_core::http::{Request, SecretString};
use deskferry_core::{Error, ErrorKind, Result};

/// The key and the secret of the helpdesk's REST interface.
#[derive(Clone, Debug)]
pub(crate) struct Signer {
    key: SecretString,
    secret: SecretString,
}

impl Signer {
    pub(crate) fn new(key: SecretString, secret: SecretString) -> Self {
        Self { key, secret }
    }

    /// The request with its signature. Each has a salt of its own.
    pub(crate) fn sign(&self, request: Request) -> Result<Request> {
        let mut salt = [0; 16];
        rand::fill(&mut salt).map_err(|_| {
            Error::new(
                ErrorKind::Unavailable,
                "sign a call to Kayako Classic",
                "this machine gives no random numbers",
            )
        })?;
        let salt = salt.iter().fold(String::new(), |mut text, byte| {
            // Writing into a text cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        });
        let signature = signature(self.secret.expose(), &salt);
        Ok(request
            .query("apikey", self.key.expose())
            .query("salt", salt)
            .query("signature", signature))
    }
}

/// Base64 of the raw digest: a page of the vendor shows that of its hexadecimal form, which no library sends.
fn signature(secret: &str, salt: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    STANDARD.encode(hmac::sign(&key, salt.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_rfc_4231() {
        // Test case 2: key `Jefe`.
        let hex = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let raw: Vec<u8> = (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect();
        assert_eq!(
            signature("Jefe", "what do ya want for nothing?"),
            STANDARD.encode(raw)
        );
    }

    #[test]
    fn no_two_calls_share_a_salt_and_nothing_shows_the_key() {
        let signer = Signer::new("hidden-key".into(), "hidden-secret".into());
        let dressed = || signer.sign(Request::get("x", "index.php")).unwrap();
        let shown = format!("{:?} {:?} {signer:?}", dressed(), dressed());
        assert!(!shown.contains("hidden"), "{shown}");
    }
}
