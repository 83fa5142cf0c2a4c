//! Moves a Trengo workspace into a Salesforce org.
//!
//! ```text
//! cargo run --example trengo_to_salesforce                     rehearse: a local Trengo, a local org, a made-up world
//! cargo run --example trengo_to_salesforce -- --mail-dir DIR   the same with real mails
//! cargo run --example trengo_to_salesforce -- resume --workspace DIR
//! cargo run --example trengo_to_salesforce -- status --workspace DIR
//! cargo run --example trengo_to_salesforce -- verify --workspace DIR
//! ```
//!
//! With `TRENGO_TOKEN` it reads a real workspace; with `SALESFORCE_URL` and `SALESFORCE_CLIENT_ID`, `SALESFORCE_CLIENT_SECRET` (or a
//! certificate, or `SALESFORCE_ACCESS_TOKEN`) it loads a real org. The README lists every variable.

use std::process::ExitCode;

use deskferry::cli::{self, App};

fn main() -> ExitCode {
    App::new(cli::trengo(), cli::salesforce()).main()
}
