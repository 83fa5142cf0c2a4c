//! The JWT bearer grant (Salesforce transport reference, section 2.2): an assertion that is signed with the key whose
//! public half the app knows.

use std::collections::HashMap;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

use super::{TokenError, active_user, invalid_grant};
use crate::org::engine::Ctx;
use crate::org::options::OrgSettings;

pub(super) const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// How far ahead an assertion may expire.
const MOST_SECONDS: i64 = 300;
/// The vendor's own client sends milliseconds, and less than one second of them; they are not taken at their word.
const LEEWAY_MILLIS: i64 = 60_000;
/// From here on a number is a time in milliseconds.
const MILLIS: i64 = 100_000_000_000;

/// A key with which clients can sign assertions, made for trying the org.
#[derive(Clone)]
pub struct JwtKey {
    /// The half that signs, as PEM (PKCS #8).
    pub private_pem: String,
    /// The half that [`jwt_public_key`](crate::org::OrgOptions::jwt_public_key) takes, as PEM.
    pub public_pem: String,
}

impl std::fmt::Debug for JwtKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JwtKey").finish_non_exhaustive()
    }
}

impl JwtKey {
    /// A new RSA key.
    ///
    /// # Errors
    /// When the machine has no randomness to give.
    pub fn generate() -> Result<Self, crate::org::OrgError> {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256);
        let pair = pair.map_err(|e| crate::org::OrgError(format!("cannot make a key: {e}")))?;
        Ok(Self {
            private_pem: pair.serialize_pem(),
            public_pem: pair.public_key_pem(),
        })
    }
}

/// The user an assertion speaks for.
pub(super) fn user(
    ctx: &Ctx<'_>,
    form: &HashMap<String, String>,
    base: &str,
) -> Result<i64, TokenError> {
    let settings = ctx.settings();
    let Some(pem) = &settings.jwt_public_key else {
        let description = "grant type not supported";
        return Err(TokenError(400, "unsupported_grant_type", description));
    };
    let invalid = || invalid_grant("invalid assertion");
    let assertion = form.get("assertion").ok_or_else(invalid)?;
    let (signed, signature) = assertion.rsplit_once('.').ok_or_else(invalid)?;
    let (header, claims) = signed.split_once('.').ok_or_else(invalid)?;
    let (header, claims) = (
        json(header).ok_or_else(invalid)?,
        json(claims).ok_or_else(invalid)?,
    );
    if header["alg"] != "RS256" {
        return Err(invalid());
    }
    if claims["iss"] != settings.client_id.as_str() {
        let description = "client identifier invalid";
        return Err(TokenError(400, "invalid_client_id", description));
    }
    let key = public_key(pem).map_err(|_| invalid())?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| invalid())?;
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
        .verify(signed.as_bytes(), &signature)
        .map_err(|_| invalid())?;
    let audience = claims["aud"].as_str().unwrap_or_default();
    if !is_audience(settings, audience, base) {
        return Err(invalid_grant("audience is invalid"));
    }
    // Some clients write the number as a text.
    let expires = &claims["exp"];
    let expires = expires.as_i64().or_else(|| expires.as_str()?.parse().ok());
    in_time(expires, ctx.now.timestamp())?;
    let name = claims["sub"].as_str().unwrap_or_default();
    let approved = settings
        .approved_users
        .as_ref()
        .is_none_or(|users| users.iter().any(|user| user.eq_ignore_ascii_case(name)));
    let found = active_user(ctx, name).map_err(|_| invalid())?;
    found
        .filter(|_| approved)
        .ok_or_else(|| invalid_grant("user hasn't approved this consumer"))
}

fn json(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// The login host of the org's kind or its own address, with or without a slash at the end; or what the org was told.
fn is_audience(settings: &OrgSettings, audience: &str, base: &str) -> bool {
    let login = if settings.is_sandbox {
        "https://test.salesforce.com"
    } else {
        "https://login.salesforce.com"
    };
    let bare = |url: &str| url.strip_suffix('/').unwrap_or(url).to_owned();
    match &settings.jwt_audiences {
        Some(told) => told.iter().any(|url| bare(url) == bare(audience)),
        None => bare(audience) == login || bare(audience) == bare(base),
    }
}

fn in_time(expires: Option<i64>, now: i64) -> Result<(), TokenError> {
    let expired = || invalid_grant("expired authorization code");
    match expires.ok_or_else(expired)? {
        millis if millis >= MILLIS && millis + LEEWAY_MILLIS < now * 1_000 => Err(expired()),
        millis if millis >= MILLIS => Ok(()),
        seconds if seconds <= now => Err(expired()),
        seconds if seconds > now + MOST_SECONDS => Err(invalid_grant("invalid assertion")),
        _ => Ok(()),
    }
}

/// The key of a PEM text, as DER: a public key, or the one in a certificate.
///
/// # Errors
/// A sentence that says what the text is not.
pub(crate) fn public_key(pem: &str) -> Result<Vec<u8>, String> {
    let wrong = || "the public key for JWT is no PEM of a public key or certificate".to_owned();
    let (_, rest) = pem.split_once("-----BEGIN ").ok_or_else(wrong)?;
    let (label, rest) = rest.split_once("-----").ok_or_else(wrong)?;
    let (body, _) = rest.split_once("-----END ").ok_or_else(wrong)?;
    let text: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    let der = STANDARD.decode(text).map_err(|_| wrong())?;
    match label {
        "PUBLIC KEY" | "RSA PUBLIC KEY" => Ok(der),
        "CERTIFICATE" => of_certificate(&der).ok_or_else(wrong),
        _ => Err(wrong()),
    }
}

/// SubjectPublicKeyInfo: behind version, serial number, algorithm, issuer, validity and subject.
fn of_certificate(der: &[u8]) -> Option<Vec<u8>> {
    let (_, certificate, _) = element(der)?;
    let (_, mut rest, _) = element(certificate)?;
    let (first, _, after) = element(rest)?;
    // A version 1 certificate does not name its version.
    if first == 0xA0 {
        rest = after;
    }
    for _ in 0..5 {
        rest = element(rest)?.2;
    }
    let (_, _, after) = element(rest)?;
    Some(rest[..rest.len() - after.len()].to_vec())
}

/// The tag and contents of the first DER element, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = if *length < 0x80 {
        (usize::from(*length), rest)
    } else {
        let digits = usize::from(*length & 0x7F);
        let (digits, rest) = rest.split_at_checked(digits.min(4))?;
        let length = digits.iter().fold(0, |sum, d| sum << 8 | usize::from(*d));
        (length, rest)
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    Some((*tag, contents, rest))
}
