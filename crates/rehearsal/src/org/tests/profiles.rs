//! Features that an org may have or not.

use super::*;

fn has(describe: &Value, name: &str) -> bool {
    describe["fields"]
        .as_array()
        .unwrap()
        .iter()
        .any(|field| field["name"] == name)
}

#[tokio::test]
async fn currencies_and_codes_of_states_are_there_only_where_the_feature_is_on() {
    for on in [false, true] {
        let bench =
            Bench::with(|options| options.multi_currency(on).state_country_picklists(on)).await;
        let account = bench.get("sobjects/Account/describe").await.body;
        for name in [
            "CurrencyIsoCode",
            "BillingStateCode",
            "BillingCountryCode",
            "ShippingCountryCode",
        ] {
            assert_eq!(has(&account, name), on, "{name}");
        }
        let anywhere = bench
            .insert(
                "Account",
                &[json!({"Name": "A", "BillingCountry": "Atlantis"})],
            )
            .await;
        assert_eq!(anywhere[0]["success"], json!(!on));
    }
}

#[tokio::test]
async fn a_currency_is_one_of_the_org_s_and_has_a_default() {
    let bench = Bench::with(|options| options.multi_currency(true)).await;
    let case = bench.add("Case", json!({})).await;
    assert_eq!(bench.value("Case", &case, "CurrencyIsoCode").await, "USD");
    let euro = bench
        .add("Account", json!({"Name": "A", "CurrencyIsoCode": "EUR"}))
        .await;
    assert_eq!(
        bench.value("Account", &euro, "CurrencyIsoCode").await,
        "EUR"
    );
    let refused = bench
        .refused("Account", json!({"Name": "A", "CurrencyIsoCode": "XXX"}))
        .await;
    assert_eq!(refused.0, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST");
}

#[tokio::test]
async fn a_country_is_known_by_name_or_code_and_a_state_needs_one() {
    let bench = Bench::with(|options| options.state_country_picklists(true)).await;
    for given in [
        json!({"MailingCountry": "germany"}),
        json!({"MailingCountry": "DE"}),
        json!({"MailingCountryCode": "DE"}),
    ] {
        let mut row = given.clone();
        row["LastName"] = json!("N");
        let contact = bench.add("Contact", row).await;
        let country = bench.value("Contact", &contact, "MailingCountry").await;
        let code = bench.value("Contact", &contact, "MailingCountryCode").await;
        assert_eq!((country, code), (json!("Germany"), json!("DE")), "{given}");
    }
    for wrong in [
        json!({"MailingCountry": "Atlantis"}),
        json!({"MailingState": "Texas"}),
        json!({"MailingCountry": "US", "MailingState": "Nowhere"}),
    ] {
        let mut row = wrong.clone();
        row["LastName"] = json!("N");
        assert_eq!(
            bench.refused("Contact", row).await.0,
            "FIELD_INTEGRITY_EXCEPTION",
            "{wrong}"
        );
    }
    let contact = bench
        .add(
            "Contact",
            json!({"LastName": "N", "MailingCountry": "US", "MailingState": "TX"}),
        )
        .await;
    assert_eq!(
        bench.value("Contact", &contact, "MailingState").await,
        "Texas"
    );
    let change = bench
        .send(
            "PATCH",
            &format!("sobjects/Contact/{contact}"),
            json!({"MailingState": "Oregon"}),
        )
        .await;
    assert_eq!(change.status, 204);
    assert_eq!(
        bench.value("Contact", &contact, "MailingStateCode").await,
        "OR"
    );
}
