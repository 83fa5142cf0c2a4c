use std::sync::Arc;

use deskferry_source_kustomer::{Kustomer, KustomerConfig};

use super::SourceKit;

/// Kustomer: the section `[kustomer]`, the variables `KUSTOMER_…`.
#[must_use]
pub fn kustomer() -> SourceKit {
    SourceKit {
        name: "kustomer",
        section: &deskferry_source_kustomer::SETTINGS,
        address: "url",
        make: |told| {
            let config = KustomerConfig::from_settings(told)?;
            Ok(Arc::new(Kustomer::new(config)?))
        },
        #[cfg(feature = "rehearsal")]
        local: local::KUSTOMER,
    }
}

#[cfg(feature = "rehearsal")]
mod local {
    use std::sync::Arc;

    use deskferry_rehearsal::kustomer::{Kustomer as LocalKustomer, KustomerOptions};
    use deskferry_rehearsal::oracle::{Kustomer as Judged, OracleOptions};
    use deskferry_source_kustomer::{Kustomer, KustomerConfig};

    use crate::cli::local::{LocalSource, POLICY, Running};

    /// It guards nothing.
    const KEY: &str = "rehearsal-key";

    pub(super) const KUSTOMER: LocalSource = LocalSource {
        start: |folder, content, serve| {
            Box::pin(async move {
                let mut options = KustomerOptions::default();
                options.folder = Some(folder);
                options.content = content;
                options.serve = serve;
                KEY.clone_into(&mut options.key);
                let desk = LocalKustomer::start(options).await?;
                Ok(Running::new(desk.url(), desk.stop()))
            })
        },
        connect: |url| {
            // The local helpdesk has no limit.
            let config = KustomerConfig::builder(url, KEY)
                .requests_per_minute(600_000)
                .searches_per_minute(600_000)
                .parallel(4)
                .build()?;
            Ok(Arc::new(Kustomer::new(config)?))
        },
        judged: |legacy_owner| {
            OracleOptions::new(LocalKustomer::org_id(), legacy_owner).platform(Judged)
        },
        world: |spec| spec.with_objects().with_channels().knowledge(),
        lines: &LINES,
    };

    /// The mapping lines of the world's articles, and of its custom fields by the names of their attributes.
    const LINES: [(&str, &str); 4] = [
        (POLICY, "articles = \"knowledge\""),
        (
            "Account",
            r#"Tier__c = { from = "custom.tierStr", create = { type = "Text", length = 80 } }"#,
        ),
        (
            "Contact",
            r#"Customer_Since__c = { from = "custom.customerSinceAt", create = { type = "Date" } }
Vip__c = { from = "custom.vipBool", create = { type = "Checkbox" } }"#,
        ),
        (
            "Case",
            r#"Product_Area__c = { from = "custom.productAreaStr", create = { type = "Text", length = 255 } }
Serial_Number__c = { from = "custom.serialNumberStr", create = { type = "Text", length = 255 } }
Affected_Parts__c = { from = "custom.affectedPartsStr", create = { type = "MultiselectPicklist", values = ["Cable", "Housing", "Motor"] } }
Purchase_Date__c = { from = "custom.purchaseDateAt", create = { type = "Date" } }
Under_Warranty__c = { from = "custom.underWarrantyBool", create = { type = "Checkbox" } }
Repair_Cost__c = { from = "custom.repairCostNum", create = { type = "Number", precision = 18, scale = 2 } }"#,
        ),
    ];
}
