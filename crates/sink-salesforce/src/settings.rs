//! What can be told from outside: keys of the section `[salesforce]`, and variables.

use deskferry_core::settings::{Holds, Section, Setting};

/// The settings of [`SalesforceConfig`](crate::SalesforceConfig), by the names that it has with serde.
pub static SETTINGS: Section = Section::new(
    "salesforce",
    "SALESFORCE",
    &[
        Setting::new(
            "url",
            Holds::Text,
            "",
            "the org's My Domain address, `https://example.my.salesforce.com`",
        ),
        Setting::new("client_id", Holds::Text, "", "the consumer key of the app"),
        Setting::new(
            "client_secret",
            Holds::Secret,
            "",
            "the consumer secret of an app with the client-credentials flow",
        ),
        Setting::new(
            "username",
            Holds::Text,
            "",
            "instead of the secret: the username that an app with a certificate signs for (JWT bearer)",
        ),
        Setting::new(
            "private_key",
            Holds::Secret,
            "",
            "the private key of that certificate (PEM)",
        ),
        Setting::new(
            "audience",
            Holds::Text,
            "the org's address, then the login host",
            "the audience that the JWT-bearer grant names",
        ),
        Setting::new(
            "access_token",
            Holds::Secret,
            "",
            "instead of an app: a token that is already there. It cannot be renewed",
        ),
        Setting::new(
            "login_file",
            Holds::Path,
            "",
            "instead of a secret: the file in which `login` keeps what a person agreed to in a browser",
        ),
        Setting::new(
            "api_version",
            Holds::Text,
            "66.0, or the org's newest where that is older",
            "the API version, one for the whole migration",
        ),
        Setting::new(
            "legacy_owner",
            Holds::Text,
            "the running user",
            "who owns what nobody in the org owned: a username or a User's id; several with commas between them have a share each (a user should own less than 10,000 cases)",
        ),
        Setting::new(
            "landing_window",
            Holds::Number {
                least: 0,
                most: 86_400,
            },
            "600",
            "seconds after which a request whose answer was lost can no longer take effect",
        ),
        Setting::new(
            "bulk_from",
            Holds::NumberOr {
                least: 0,
                most: u32::MAX as u64,
                word: "never",
            },
            "2000",
            "from how many rows of one object in a batch on Bulk API 2.0 is used, or `never`",
        ),
        Setting::new(
            "bulk_poll",
            Holds::Number {
                least: 1,
                most: 600_000,
            },
            "2000",
            "milliseconds before a bulk job is asked for the second time; each further wait is half as long again, up to 30 s",
        ),
        Setting::new(
            "bulk_folder",
            Holds::Path,
            "the system's folder for temporary files",
            "where the rows of a bulk job are kept while it runs",
        ),
        Setting::new(
            "daily_share",
            Holds::Number {
                least: 1,
                most: 100,
            },
            "90",
            "the share of the org's daily requests at which a load stops by itself, in percent",
        ),
        Setting::new(
            "image_base",
            Holds::Text,
            "",
            "what stands before the addresses of images in rewritten texts",
        ),
        Setting::new(
            "allow_plain_http",
            Holds::Switch,
            "false",
            "whether plain http may be spoken to other machines than this one",
        ),
        Setting::new(
            "root_certificate",
            Holds::Contents,
            "",
            "a certificate authority to trust beside those of the system (PEM)",
        ),
    ],
);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::SalesforceConfig;

    #[test]
    fn every_key_of_the_configuration_is_a_setting_and_every_setting_is_a_key() {
        let unknown = serde_json::from_str::<SalesforceConfig>(r#"{"not a key": 0}"#);
        let said = unknown.unwrap_err().to_string();
        let (_, known) = said.split_once("expected one of ").unwrap();
        // The key to sign with has a `_file` by being a secret.
        let keys: BTreeSet<&str> = known
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|key| *key != "private_key_file")
            .collect();
        let settings = SETTINGS.settings.iter().map(|s| s.key).collect();
        assert_eq!(keys, settings);
    }

    #[test]
    fn variables_make_the_same_configuration_as_the_builder() {
        let vars = |name: &str| {
            let value = match name {
                "SALESFORCE_URL" => "https://example.lightning.force.com/",
                "SALESFORCE_CLIENT_ID" => "id",
                "SALESFORCE_CLIENT_SECRET" => "hidden",
                "SALESFORCE_BULK_FROM" => "700",
                "SALESFORCE_DAILY_SHARE" => "50",
                "SALESFORCE_LANDING_WINDOW" => "9",
                _ => return None,
            };
            Some(value.to_owned())
        };
        let config = SalesforceConfig::from_settings(&SETTINGS.read(&vars, None).unwrap()).unwrap();
        assert_eq!(config.url, "https://example.my.salesforce.com");
        assert_eq!(
            (config.bulk_from, config.daily_share, config.landing_window),
            (700, 50, 9)
        );
        assert!(!format!("{config:?}").contains("hidden"));
        let nothing = SalesforceConfig::from_settings(&SETTINGS.read(&|_| None, None).unwrap());
        let said = nothing.unwrap_err().to_string();
        assert!(said.contains("SALESFORCE_URL is not set"), "{said}");
    }
}
