//! Which machines a link may lead to that came from data.
//!
//! The configured platform may be anywhere. Whatever else an answer or a ticket names, an attachment's address or a
//! redirect, must be on the public internet: otherwise whoever writes a ticket could have us ask the router, the cloud's
//! metadata service or a database beside us. Names are judged by the addresses to which the connection really goes, so
//! that a name cannot be looked up as one machine and connected to as another.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// The metadata service of a cloud that hides among public addresses.
const PUBLIC_LOOKING_METADATA: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

/// Variables by which the environment names a proxy.
const PROXIES: [&str; 6] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// Whether an address is one of the public internet.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let refused = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address == PUBLIC_LOOKING_METADATA
        // "This network", shared addresses of providers, protocol assignments, benchmarks, multicast and reserved.
        || a == 0
        || (a == 100 && (64..128).contains(&b))
        || (a, b, c) == (192, 0, 0)
        || (a == 198 && (b == 18 || b == 19))
        || a >= 224;
    !refused
}

/// Only global unicast, and what carries an IPv4 address is judged by it.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let s = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match s {
        // Mapped, and translated by a gateway.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            embedded(high, low)
        }
        // 6to4.
        [0x2002, high, low, ..] => embedded(high, low),
        // Teredo and other protocol assignments, documentation.
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => false,
        [0x3fff, second, ..] if second < 0x1000 => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// The private address that an address names itself, without any name to look up.
pub(super) fn private_literal(url: &Url) -> Option<Private> {
    let address = match url.host()? {
        Host::Ipv4(address) => IpAddr::V4(address),
        Host::Ipv6(address) => IpAddr::V6(address),
        Host::Domain(_) => return None,
    };
    (!is_public(address)).then(|| Private {
        host: address.to_string(),
        address,
    })
}

/// A host that a link may not lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Private {
    host: String,
    address: IpAddr,
}

impl fmt::Display for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host == self.address.to_string() {
            write!(f, "{} is no public address", self.host)
        } else {
            write!(
                f,
                "{} is {}, which is no public address",
                self.host, self.address
            )
        }
    }
}

impl std::error::Error for Private {}

impl Private {
    /// What to do about it.
    pub(super) const ADVICE: &'static str = "If that host belongs to you, allow private hosts in the configuration; otherwise look at the record that names it";

    /// Finds it among the causes of an error.
    pub(super) fn among<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Self> {
        let mut next = Some(error);
        while let Some(cause) = next {
            if let Some(private) = cause.downcast_ref() {
                return Some(private);
            }
            next = cause.source();
        }
        None
    }
}

/// Turns a name into addresses.
pub(super) type Lookup =
    Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// As the system does it.
pub(super) fn system() -> Lookup {
    Arc::new(|name| {
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
    })
}

/// Looks names up, and hands on only what is public.
pub(super) struct Guard {
    lookup: Lookup,
    /// A proxy of the environment may be anywhere; what it reaches is its own business.
    proxies: Vec<String>,
}

impl Guard {
    pub(super) fn new(lookup: Lookup) -> Self {
        let named = PROXIES.iter().filter_map(|name| std::env::var(name).ok());
        Self {
            lookup,
            proxies: named.filter_map(|address| host_of(&address)).collect(),
        }
    }
}

fn host_of(proxy: &str) -> Option<String> {
    let url = Url::parse(proxy)
        .ok()
        .filter(Url::has_host)
        .or_else(|| Url::parse(&format!("http://{proxy}")).ok())?;
    Some(url.host_str()?.to_ascii_lowercase())
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let is_proxy = self.proxies.contains(&host.to_ascii_lowercase());
        let found = (self.lookup)(host.clone());
        Box::pin(async move {
            let found = found.await?;
            if is_proxy {
                return Ok(Box::new(found.into_iter()) as Addrs);
            }
            let (public, private): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|found| is_public(found.ip()));
            match private.first() {
                Some(refused) if public.is_empty() => Err(Private {
                    host,
                    address: refused.ip(),
                }
                .into()),
                _ => Ok(Box::new(public.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_addresses_of_the_public_internet_are_public() {
        let public = [
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.169.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450:4001:82a::200e",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
        ];
        let private = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.1.2.3",
            "::ffff:169.254.169.254",
            "64:ff9b::127.0.0.1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:a9fe:a9fe::1",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for (addresses, expected) in [(&public[..], true), (&private[..], false)] {
            for address in addresses {
                assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
            }
        }
    }

    proptest! {
        #[test]
        fn an_ipv4_address_is_judged_alike_however_ipv6_wraps_it(bits in any::<u32>()) {
            let plain = Ipv4Addr::from(bits);
            let mapped = plain.to_ipv6_mapped();
            prop_assert_eq!(is_public(plain.into()), is_public(mapped.into()));
        }
    }

    #[test]
    fn an_address_is_read_as_browsers_read_it() {
        for (url, private) in [
            ("http://127.1/", true),
            ("http://2130706433/", true),
            ("http://0x7f000001/", true),
            ("http://0177.0.0.1/", true),
            ("http://[::ffff:7f00:1]/", true),
            ("http://169.254.169.254/latest/meta-data", true),
            ("https://8.8.8.8/", false),
            // A name is judged when it is looked up.
            ("https://localhost/", false),
        ] {
            let found = private_literal(&Url::parse(url).unwrap());
            assert_eq!(found.is_some(), private, "{url}");
        }
    }

    async fn resolved(
        found: &'static [&'static str],
        proxies: &[&str],
    ) -> Result<Vec<IpAddr>, String> {
        let guard = Guard {
            lookup: Arc::new(move |_| {
                let addresses = found
                    .iter()
                    .map(|ip| SocketAddr::new(ip.parse().unwrap(), 0));
                let addresses = Ok(addresses.collect());
                Box::pin(async { addresses })
            }),
            proxies: proxies.iter().map(|name| (*name).to_owned()).collect(),
        };
        match guard.resolve("files.example.org".parse().unwrap()).await {
            Ok(addresses) => Ok(addresses.map(|address| address.ip()).collect()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[tokio::test]
    async fn a_name_is_judged_by_what_it_resolves_to() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(resolved(&["8.8.8.8"], &[]).await, Ok(vec![ip("8.8.8.8")]));
        // A private address beside a public one is never connected to.
        assert_eq!(
            resolved(&["10.0.0.1", "8.8.8.8", "::1"], &[]).await,
            Ok(vec![ip("8.8.8.8")])
        );
        for private in [
            &["127.0.0.1"][..],
            &["::ffff:10.0.0.1"],
            &["fd00:ec2::254", "10.0.0.1"],
        ] {
            let error = resolved(private, &[]).await.unwrap_err();
            assert!(
                error.starts_with("files.example.org is ") && error.contains("no public address"),
                "{error}"
            );
        }
        assert_eq!(
            resolved(&["10.0.0.1"], &["files.example.org"]).await,
            Ok(vec![ip("10.0.0.1")])
        );
    }

    #[test]
    fn a_proxy_is_known_by_its_host_however_it_is_written() {
        for (proxy, host) in [
            (
                "http://user:pw@Proxy.example.org:3128",
                Some("proxy.example.org"),
            ),
            ("proxy.example.org:3128", Some("proxy.example.org")),
            ("", None),
        ] {
            assert_eq!(host_of(proxy).as_deref(), host, "{proxy}");
        }
    }
}
