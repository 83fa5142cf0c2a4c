//! Whole reads of a local Kayako, in order and in trouble.

mod aside;
mod beside;
mod classic;
mod gone;
mod harness;
mod help_centre;
mod hostile;
mod inventory;
mod links;
mod login;
mod lowly;
mod merged;
mod moving;
mod whole;
