//! A local Salesforce org and local helpdesks, as HTTP servers on loopback, for rehearsals and tests.
//!
//! A rehearsal needs no account anywhere: the [`org`] answers as a Service Cloud org answers, a helpdesk such as
//! [`kayako`] or [`kustomer`] is filled from a [`world`], both can be told to misbehave by [`fault`] scripts, and the [`oracle`]
//! knows what the org must hold at the end.
//!
//! Nothing here is shared with the connectors. Every wire shape is written a second time, from the platforms' own
//! documentation, so that one misunderstanding cannot hide on both sides of the wire.

pub mod asapp;
mod clock;
pub mod fault;
pub mod kayako;
pub mod kayako_classic;
pub mod kustomer;
pub mod oracle;
pub mod org;
pub mod serve;
mod tamper;
pub mod trengo;
pub mod world;
