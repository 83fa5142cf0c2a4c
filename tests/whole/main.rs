//! Whole migrations from a local Kayako into a local org, judged by the oracle: one program, so that one build serves all.

mod asapp;
mod bad_input;
mod browser;
mod bulk;
mod config;
mod consent;
mod delta;
mod disk;
mod extracted;
mod kayako_cases;
mod kayako_classic;
mod kayako_input;
mod kills;
mod knowledge;
mod kustomer;
mod objects;
mod owners;
mod plan;
mod program;
mod rehearse;
mod requests;
mod rollback;
mod scene;
mod tls;
mod trengo;
mod verbs;
