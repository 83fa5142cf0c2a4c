//! Salesforce Service Cloud as a Deskferry sink.
