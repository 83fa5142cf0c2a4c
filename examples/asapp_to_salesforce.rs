//! Moves a company's ASAPP exports into a Salesforce org.
//!
//! ```text
//! cargo run --example asapp_to_salesforce                     rehearse: made-up batch files, a local org
//! cargo run --example asapp_to_salesforce -- resume --workspace DIR
//! cargo run --example asapp_to_salesforce -- status --workspace DIR
//! cargo run --example asapp_to_salesforce -- verify --workspace DIR
//! ```
//!
//! With `ASAPP_COMPANY` and `ASAPP_TREE` (a folder that mirrors the batch files) it reads real exports; `ASAPP_CUSTOMERS` and
//! `ASAPP_AGENTS` name the company's own tables of names and addresses, which ASAPP does not have. The target is told as for
//! every other source: `SALESFORCE_URL` and credentials.

use std::process::ExitCode;

use deskferry::cli::{self, App};

fn main() -> ExitCode {
    App::new(cli::asapp(), cli::salesforce()).main()
}
