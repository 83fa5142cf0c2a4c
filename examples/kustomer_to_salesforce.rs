//! Moves a Kustomer org into a Salesforce org.
//!
//! ```text
//! cargo run --example kustomer_to_salesforce                     rehearse: a local Kustomer, a local org, a made-up world
//! cargo run --example kustomer_to_salesforce -- --mail-dir DIR   the same with real mails
//! cargo run --example kustomer_to_salesforce -- resume --workspace DIR
//! cargo run --example kustomer_to_salesforce -- status --workspace DIR
//! cargo run --example kustomer_to_salesforce -- verify --workspace DIR
//! ```
//!
//! With `KUSTOMER_URL` and `KUSTOMER_KEY` it reads a real helpdesk; with `SALESFORCE_URL` and
//! `SALESFORCE_CLIENT_ID`, `SALESFORCE_CLIENT_SECRET` (or a certificate, or `SALESFORCE_ACCESS_TOKEN`) it loads a real
//! org. docs/configuration.md lists every variable.

use std::process::ExitCode;

use deskferry::cli::{self, App};

fn main() -> ExitCode {
    App::new(cli::kustomer(), cli::salesforce()).main()
}
