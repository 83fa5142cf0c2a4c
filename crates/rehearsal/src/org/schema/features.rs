//! What an org's features add to its objects: currencies, and picklists of states and countries.

use super::{Object, table};
use crate::org::options::OrgSettings;

/// Objects whose amounts have a currency, beside the custom ones.
const WITH_CURRENCY: [&str; 5] = ["Account", "Contact", "Lead", "Case", "Task"];
const CURRENCY: &str = "CurrencyIsoCode | picklist 3 | CUdnpR | label=Currency ISO Code | default=USD | \
                        values=USD:U.S. Dollar;EUR:Euro;GBP:British Pound;CHF:Swiss Franc";
/// Addresses by object; a name before `State` and `Country`.
const ADDRESSES: [(&str, &[&str]); 3] = [
    ("Account", &["Billing", "Shipping"]),
    ("Contact", &["Mailing", "Other"]),
    ("Lead", &[""]),
];
/// A few of the countries that an org begins with, and the states of those that have some.
const COUNTRIES: &str = "AT:Austria;AU:Australia;BE:Belgium;BR:Brazil;CA:Canada;CH:Switzerland;DE:Germany;DK:Denmark;ES:Spain;FR:France;\
    GB:United Kingdom;IE:Ireland;IN:India;IT:Italy;JP:Japan;MX:Mexico;NL:Netherlands;NO:Norway;NZ:New Zealand;PL:Poland;PT:Portugal;\
    SE:Sweden;SG:Singapore;US:United States";
const STATES: &str = "AZ:Arizona;CA:California;CO:Colorado;FL:Florida;GA:Georgia;IL:Illinois;MA:Massachusetts;MI:Michigan;\
    NJ:New Jersey;NY:New York;OH:Ohio;OR:Oregon;PA:Pennsylvania;TX:Texas;VA:Virginia;WA:Washington;BC:British Columbia;ON:Ontario;QC:Quebec;\
    NSW:New South Wales;VIC:Victoria;QLD:Queensland";

/// Adds the fields of every feature that is on.
pub(super) fn add(objects: &mut [Object], settings: &OrgSettings) -> Result<(), String> {
    for object in objects {
        let mut lines = Vec::new();
        if settings.multi_currency
            && (object.custom || WITH_CURRENCY.contains(&object.name.as_str()))
        {
            lines.push(CURRENCY.to_owned());
        }
        let addresses = ADDRESSES.iter().find(|(name, _)| *name == object.name);
        if let (true, Some((_, addresses))) = (settings.state_country_picklists, addresses) {
            for address in *addresses {
                for (part, values) in [("State", STATES), ("Country", COUNTRIES)] {
                    lines.push(format!(
                        "{address}{part}Code | picklist 10 | CUnR | label={address} {part} Code | in={address}Address | values={values}"
                    ));
                }
            }
        }
        for line in lines {
            object
                .add(table::field(&line))
                .map_err(|name| format!("{} has a field {name} already", object.name))?;
        }
    }
    Ok(())
}
