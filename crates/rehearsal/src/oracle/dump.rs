//! Where the rows of an org come from.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::org::{Org, OrgState};

/// The rows of an org, whoever reads them.
pub trait OrgDump {
    /// All rows of an object that are not deleted, with `Id` and every stored field; null fields may be missing. An object
    /// that the org does not have has no rows.
    ///
    /// # Errors
    /// When the org cannot be read.
    fn rows(&self, object: &str) -> io::Result<Vec<Value>>;

    /// The bytes of a file, by the id of its ContentVersion.
    ///
    /// # Errors
    /// When there is no such file.
    fn blob(&self, version: &str) -> io::Result<Vec<u8>>;
}

impl OrgDump for Org {
    fn rows(&self, object: &str) -> io::Result<Vec<Value>> {
        self.dump(object).map_err(io::Error::other)
    }

    fn blob(&self, version: &str) -> io::Result<Vec<u8>> {
        Self::blob(self, version).map_err(io::Error::other)
    }
}

impl OrgDump for OrgState {
    fn rows(&self, object: &str) -> io::Result<Vec<Value>> {
        self.dump(object).map_err(io::Error::other)
    }

    fn blob(&self, version: &str) -> io::Result<Vec<u8>> {
        Self::blob(self, version).map_err(io::Error::other)
    }
}

/// A local org in another process, read over its `/rehearsal/` addresses. Blocks; plain http only.
#[derive(Clone, Debug)]
pub struct RemoteOrg {
    host: String,
}

impl RemoteOrg {
    /// An org by its address, such as `http://127.0.0.1:4000`.
    ///
    /// # Errors
    /// When the address is not `http://host:port`.
    pub fn new(url: &str) -> io::Result<Self> {
        let host = url
            .trim_end_matches('/')
            .strip_prefix("http://")
            .filter(|host| !host.contains('/'));
        let host =
            host.ok_or_else(|| io::Error::other(format!("{url} is not http://host:port")))?;
        Ok(Self {
            host: host.to_owned(),
        })
    }

    /// HTTP/1.0: the answer ends where the connection does.
    fn get(&self, path: &str) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(&self.host)?;
        write!(
            stream,
            "GET {path} HTTP/1.0\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.host
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let end = answer
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .ok_or_else(|| io::Error::other("no answer"))?;
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let status = head.split(' ').nth(1).unwrap_or("");
        if status != "200" {
            return Err(io::Error::other(format!("GET {path} answered {status}")));
        }
        answer.drain(..end + 4);
        Ok(answer)
    }
}

impl OrgDump for RemoteOrg {
    fn rows(&self, object: &str) -> io::Result<Vec<Value>> {
        let lines = self.get(&format!("/rehearsal/dump/{object}"))?;
        let lines = lines
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty());
        lines
            .map(|line| serde_json::from_slice(line).map_err(io::Error::other))
            .collect()
    }

    fn blob(&self, version: &str) -> io::Result<Vec<u8>> {
        self.get(&format!("/rehearsal/blob/{version}"))
    }
}
