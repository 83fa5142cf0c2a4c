//! The JWT bearer grant.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

const ANN: &str = "ann@example.org.rehearsal";

/// Somebody who signs assertions.
struct Signer {
    key: RsaKeyPair,
    public: String,
    certificate: String,
}

impl Signer {
    fn new() -> Self {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
        let certificate =
            rcgen::CertificateParams::new(vec!["app.example.org".to_owned()]).unwrap();
        Self {
            key: RsaKeyPair::from_pkcs8(&pair.serialize_der()).unwrap(),
            public: pair.public_key_pem(),
            certificate: certificate.self_signed(&pair).unwrap().pem(),
        }
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn in_seconds(seconds: i64) -> i64 {
    chrono::Utc::now().timestamp() + seconds
}

impl Bench {
    async fn grant(&self, assertion: &str) -> Answer {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
            .append_pair("assertion", assertion)
            .finish();
        let ask = self
            .client
            .post(self.org.url() + "/services/oauth2/token")
            .header("Content-Type", "application/x-www-form-urlencoded");
        self.answer(ask.body(form)).await
    }

    fn claims(&self) -> Value {
        json!({"iss": "rehearsal-client", "sub": ANN, "aud": self.org.url(), "exp": in_seconds(180)})
    }
}

#[tokio::test]
async fn an_assertion_opens_a_session_of_its_user() {
    let signer = Signer::new();
    for pem in [&signer.public, &signer.certificate] {
        let bench = Bench::with(|options| options.jwt_public_key(pem)).await;
        let mut claims = bench.claims();
        let own = bench.org.url();
        let millis = json!(in_seconds(0) * 1_000 + 300);
        for (aud, exp) in [
            (own.clone(), json!(in_seconds(180))),
            (own.clone() + "/", millis),
            (
                "https://login.salesforce.com".to_owned(),
                json!(in_seconds(1 + 60)),
            ),
            (
                "https://login.salesforce.com/".to_owned(),
                json!(in_seconds(180)),
            ),
        ] {
            (claims["aud"], claims["exp"]) = (json!(aud), exp);
            let answer = bench
                .grant(&signer.sign(&json!({"alg": "RS256"}), &claims))
                .await;
            assert_eq!(answer.status, 200, "{claims}: {}", answer.body);
            assert_eq!(answer.body["instance_url"], own);
            assert!(answer.body.get("refresh_token").is_none());
            let token = answer.body["access_token"].as_str().unwrap();
            let me = bench
                .client
                .get(own.clone() + "/services/oauth2/userinfo")
                .bearer_auth(token);
            assert_eq!(bench.answer(me).await.body["preferred_username"], ANN);
        }
    }
}

#[tokio::test]
async fn an_assertion_that_proves_nothing_is_refused_with_its_reason() {
    let (signer, stranger) = (Signer::new(), Signer::new());
    let approved = ["gone@example.org.rehearsal".to_owned(), ANN.to_owned()];
    let bench = Bench::with(|options| {
        options
            .jwt_public_key(&signer.public)
            .approved_users(approved)
    })
    .await;
    let rs256 = json!({"alg": "RS256"});
    let with = |name: &str, value: Value| {
        let mut claims = bench.claims();
        claims[name] = value;
        signer.sign(&rs256, &claims)
    };
    let good = signer.sign(&rs256, &bench.claims());
    let (signed, _) = good.rsplit_once('.').unwrap();
    let audience = "audience is invalid";
    let late = "expired authorization code";
    let nobody = "user hasn't approved this consumer";
    for (assertion, error, description) in [
        ("x.y".to_owned(), "invalid_grant", "invalid assertion"),
        (format!("{signed}."), "invalid_grant", "invalid assertion"),
        (
            stranger.sign(&rs256, &bench.claims()),
            "invalid_grant",
            "invalid assertion",
        ),
        (
            signer.sign(&json!({"alg": "none"}), &bench.claims()),
            "invalid_grant",
            "invalid assertion",
        ),
        (
            with("iss", json!("other")),
            "invalid_client_id",
            "client identifier invalid",
        ),
        (
            with("aud", json!("https://test.salesforce.com")),
            "invalid_grant",
            audience,
        ),
        (
            with("aud", json!([bench.org.url()])),
            "invalid_grant",
            audience,
        ),
        (
            with("aud", json!(bench.org.url() + "/services/oauth2/token")),
            "invalid_grant",
            audience,
        ),
        (with("exp", json!(in_seconds(-1))), "invalid_grant", late),
        (
            with("exp", json!(in_seconds(-3_600) * 1_000)),
            "invalid_grant",
            late,
        ),
        (with("exp", Value::Null), "invalid_grant", late),
        (
            with("exp", json!(in_seconds(86_400))),
            "invalid_grant",
            "invalid assertion",
        ),
        (
            with("sub", json!("nobody@example.org")),
            "invalid_grant",
            nobody,
        ),
        (
            with("sub", json!("gone@example.org.rehearsal")),
            "invalid_grant",
            nobody,
        ),
        (
            with("sub", json!("integration@rehearsal.example.org")),
            "invalid_grant",
            nobody,
        ),
    ] {
        let answer = bench.grant(&assertion).await;
        let told = (&answer.body["error"], &answer.body["error_description"]);
        assert_eq!(
            (answer.status, told),
            (400, (&json!(error), &json!(description))),
            "{assertion}"
        );
    }
    assert_eq!(bench.grant(&good).await.status, 200);
}

#[tokio::test]
async fn an_org_can_insist_on_an_audience_or_know_no_assertions_at_all() {
    let signer = Signer::new();
    let login = "https://login.salesforce.com";
    let bench = Bench::with(|options| {
        options
            .jwt_public_key(&signer.public)
            .jwt_audiences([login.to_owned()])
    })
    .await;
    let mut claims = bench.claims();
    let ask = |claims: &Value| signer.sign(&json!({"alg": "RS256"}), claims);
    let refused = bench.grant(&ask(&claims)).await;
    assert_eq!(refused.body["error_description"], "audience is invalid");
    claims["aud"] = json!(login);
    assert_eq!(bench.grant(&ask(&claims)).await.status, 200);

    let without = Bench::new().await;
    let refused = without.grant(&ask(&without.claims())).await;
    assert_eq!(refused.body["error"], "unsupported_grant_type");
    let folder = TempDir::new().unwrap();
    let wrong = Org::start(OrgOptions::new(folder.path()).jwt_public_key("a key")).await;
    assert!(wrong.unwrap_err().to_string().contains("no PEM"));
}

#[tokio::test]
async fn a_sandbox_has_the_login_host_of_sandboxes() {
    let signer = Signer::new();
    let bench =
        Bench::with(|options| options.jwt_public_key(&signer.public).is_sandbox(true)).await;
    for (host, status) in [
        ("https://test.salesforce.com", 200),
        ("https://login.salesforce.com", 400),
    ] {
        let mut claims = bench.claims();
        claims["aud"] = json!(host);
        let answer = bench
            .grant(&signer.sign(&json!({"alg": "RS256"}), &claims))
            .await;
        assert_eq!(answer.status, status, "{host}: {}", answer.body);
    }
}
