//! Behaviour of the client, against servers on loopback.
