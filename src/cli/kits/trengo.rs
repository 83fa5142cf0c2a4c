use std::sync::Arc;

use deskferry_source_trengo::{Trengo, TrengoConfig};

use super::SourceKit;

/// Trengo: the section `[trengo]`, the variables `TRENGO_…`.
#[must_use]
pub fn trengo() -> SourceKit {
    SourceKit {
        name: "trengo",
        section: &deskferry_source_trengo::SETTINGS,
        // All workspaces have one address; who has a token means the real one.
        address: "token",
        make: |told| {
            let config = TrengoConfig::from_settings(told)?;
            Ok(Arc::new(Trengo::new(config)?))
        },
        #[cfg(feature = "rehearsal")]
        local: local::TRENGO,
    }
}

#[cfg(feature = "rehearsal")]
mod local {
    use std::sync::Arc;

    use deskferry_rehearsal::oracle::{self, OracleOptions};
    use deskferry_rehearsal::trengo::{TOKEN, Trengo as LocalTrengo, TrengoOptions};
    use deskferry_source_trengo::{Trengo, TrengoConfig};

    use crate::cli::local::{LocalSource, POLICY, Running};

    pub(super) const TRENGO: LocalSource = LocalSource {
        start: |folder, content, serve| {
            Box::pin(async move {
                let mut options = TrengoOptions::default();
                options.folder = Some(folder);
                options.content = content;
                options.serve = serve;
                let trengo = LocalTrengo::start(options).await?;
                Ok(Running::new(trengo.url(), trengo.stop()))
            })
        },
        connect: |url| {
            // The local workspace tells a limit that nobody reaches, and the pace follows.
            let config = TrengoConfig::builder(TOKEN).url(url).build()?;
            Ok(Arc::new(Trengo::new(config)?))
        },
        judged: |legacy_owner| {
            let mut options =
                OracleOptions::new("4711", legacy_owner).platform(oracle::Trengo::default());
            // Mails have no headers here, and a ticket that was merged is gone.
            options.email_originals = false;
            options.merged = false;
            options.merged_into = false;
            options
        },
        world: |spec| spec.with_channels().knowledge(),
        lines: &LINES,
    };

    /// The mapping lines of the world's articles, and of its custom fields, by number.
    const LINES: [(&str, &str); 3] = [
        (
            POLICY,
            "articles = \"knowledge\"\narticle_hosts = [\"acme.trengo.help\"]",
        ),
        (
            "Contact",
            r#"Customer_Since__c = { from = "custom.31", create = { type = "Date" } }
Vip__c = { from = "custom.32", create = { type = "Checkbox" } }"#,
        ),
        (
            "Case",
            r#"Product_Area__c = { from = "custom.11", create = { type = "Text", length = 255 } }
Serial_Number__c = { from = "custom.12", create = { type = "Text", length = 255 } }
Affected_Parts__c = { from = "custom.13", create = { type = "MultiselectPicklist", values = ["Cable", "Housing", "Motor"] } }
Purchase_Date__c = { from = "custom.14", create = { type = "Date" } }
Under_Warranty__c = { from = "custom.15", create = { type = "Checkbox" } }
Repair_Cost__c = { from = "custom.16", create = { type = "Number", precision = 18, scale = 2 } }
Ticket_Results__c = { from = "custom.results", create = { type = "MultiselectPicklist", values = ["Question", "Task", "Problem", "Incident", "Praise"] } }"#,
        ),
    ];
}
