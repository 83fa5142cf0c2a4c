//! The same delivery from a folder, from a service that speaks S3, and from OpenSSH's SFTP server.
#![cfg(all(feature = "s3", feature = "sftp"))]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use deskferry_core::source::Scope;
use deskferry_core::{Context, ErrorKind, Record, Result, Source as _, SourceExt as _};
use deskferry_rehearsal::asapp::{AsappOptions, Exports, write};
use deskferry_rehearsal::world::{World, WorldSpec};
use deskferry_source_asapp::{Asapp, AsappConfig, AsappConfigBuilder};
use futures::TryStreamExt as _;

/// All records of a read by their keys.
async fn read(config: AsappConfigBuilder) -> Result<BTreeMap<String, Record>> {
    let source = Arc::new(Asapp::new(config.build()?)?);
    let cx = Context::new();
    let mut todo = source.shards(&cx, &Scope::default()).await?;
    let mut records = BTreeMap::new();
    while let Some(shard) = todo.pop() {
        let mut pages = source.pages(&cx, shard, None);
        while let Some(mut page) = pages.try_next().await? {
            todo.append(&mut page.spawn);
            let of_page = page.records.into_iter();
            records.extend(of_page.map(|record| (record.key().to_string(), record)));
        }
    }
    Ok(records)
}

fn deliver(folder: &Path) -> Exports {
    let world = World::generate(WorldSpec::new(5, 12));
    write(folder, &world, &AsappOptions::default()).unwrap()
}

fn with_tables(config: AsappConfigBuilder, exports: &Exports, work: &Path) -> AsappConfigBuilder {
    config
        .customers(&exports.customers)
        .agents(&exports.agents)
        .work(work)
}

async fn from_folder(exports: &Exports) -> BTreeMap<String, Record> {
    let work = tempfile::tempdir().unwrap();
    let config = AsappConfig::builder("acme", &exports.tree);
    read(with_tables(config, exports, work.path()))
        .await
        .unwrap()
}

mod s3 {
    use super::*;
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use hyper_util::server::conn::auto::Builder;
    use s3s::auth::SimpleAuth;
    use s3s::service::S3ServiceBuilder;

    const SECRET: &str = "rehearsal-bucket-secret";

    /// A server whose buckets are the folders below `root`; its address.
    async fn start(root: &Path) -> String {
        let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root).unwrap());
        service.set_auth(SimpleAuth::from_single("reader", SECRET));
        let service = service.build();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    let builder = Builder::new(TokioExecutor::new());
                    let _ = builder
                        .serve_connection(TokioIo::new(socket), service)
                        .await;
                });
            }
        });
        format!("http://{address}")
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_bucket_brings_what_the_folder_brings() {
        let folder = tempfile::tempdir().unwrap();
        // The bucket is called `exports`, and the feeds lie right in it.
        let exports = deliver(folder.path());
        let url = start(folder.path()).await;
        let work = tempfile::tempdir().unwrap();
        let config = AsappConfig::of("acme")
            .s3("exports", "", "reader", SECRET)
            .s3_at("us-east-1", &url);
        let found = read(with_tables(config, &exports, work.path()))
            .await
            .unwrap();
        assert!(found.len() > 100, "{}", found.len());
        assert_eq!(found, from_folder(&exports).await);

        // Below a prefix it is the same.
        let above = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(above.path().join("bucket")).unwrap();
        std::fs::rename(&exports.tree, above.path().join("bucket/acme")).unwrap();
        let url = start(above.path()).await;
        let work = tempfile::tempdir().unwrap();
        let config = AsappConfig::of("acme")
            .s3("bucket", "/acme/", "reader", SECRET)
            .s3_at("us-east-1", &url);
        assert_eq!(
            read(with_tables(config, &exports, work.path()))
                .await
                .unwrap(),
            found
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_bucket_that_cannot_be_read_is_told_without_its_secret() {
        let folder = tempfile::tempdir().unwrap();
        deliver(folder.path());
        let url = start(folder.path()).await;
        let work = tempfile::tempdir().unwrap();
        let cases = [
            (
                "exports",
                "",
                "reader",
                "wrong-secret",
                ErrorKind::Forbidden,
            ),
            ("exports", "nowhere", "reader", SECRET, ErrorKind::NotFound),
            ("no-such-bucket", "", "reader", SECRET, ErrorKind::NotFound),
        ];
        for (bucket, prefix, id, secret, kind) in cases {
            let config = AsappConfig::of("acme")
                .s3(bucket, prefix, id, secret)
                .s3_at("us-east-1", &url)
                .work(work.path());
            let error = read(config).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{bucket} {prefix}: {error}");
            let shown = format!("{error} {error:?}");
            assert!(shown.contains(bucket), "{shown}");
            assert!(
                !shown.contains("secret") || !shown.contains(secret),
                "{shown}"
            );
        }
    }
}

mod sftp {
    use super::*;
    use std::io::{BufRead as _, BufReader};
    use std::process::{Child, Command, Stdio};

    const SERVER: &str = "/usr/sbin/sshd";
    const SUBSYSTEM: &str = "/usr/lib/openssh/sftp-server";

    /// OpenSSH on a port of loopback; it ends with the value.
    struct Server {
        child: Child,
        port: u16,
        user: String,
        /// The line with its public key.
        key: String,
    }

    impl Drop for Server {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    fn run(program: &str, arguments: &[&str]) -> String {
        let done = Command::new(program).args(arguments).output().unwrap();
        assert!(done.status.success(), "{program}: {done:?}");
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    /// Keys of both sides and a server that takes them; nothing where this machine has no OpenSSH server that starts.
    fn start(folder: &Path, sort: &[&str]) -> Option<Server> {
        let skipped = |why: &str| {
            let mut out = std::io::stderr().lock();
            let _ = std::io::Write::write_all(
                &mut out,
                format!(
                    "skipped: {why} (Debian: openssh-server, and `mkdir /run/sshd` for root)\n"
                )
                .as_bytes(),
            );
            None
        };
        if !Path::new(SERVER).exists() || !Path::new(SUBSYSTEM).exists() {
            return skipped("there is no OpenSSH server on this machine");
        }
        let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
        let quiet = ["-q", "-N", "", "-f"];
        run(
            "ssh-keygen",
            &[&quiet[..], &[&path("host"), "-t", "ed25519"]].concat(),
        );
        run("ssh-keygen", &[&quiet[..], &[&path("own")], sort].concat());
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        drop(socket);
        let settings = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin yes\n\
             PasswordAuthentication no\nSubsystem sftp {SUBSYSTEM}\n",
            path("host"),
            path("own.pub"),
        );
        std::fs::write(path("sshd_config"), settings).unwrap();
        let mut child = Command::new(SERVER)
            .args(["-D", "-e", "-f", &path("sshd_config")])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let first = said.by_ref().map_while(std::io::Result::ok).next();
        if !first
            .as_ref()
            .is_some_and(|line| line.contains("listening"))
        {
            let _ = child.kill();
            let _ = child.wait();
            return skipped(&format!("OpenSSH's server does not start: {first:?}"));
        }
        // What it says later must not fill the pipe.
        std::thread::spawn(move || said.for_each(drop));
        Some(Server {
            child,
            port,
            user: run("id", &["-un"]),
            key: std::fs::read_to_string(path("host.pub")).unwrap(),
        })
    }

    fn config(server: &Server, folder: &Path, exports: &Exports) -> AsappConfigBuilder {
        AsappConfig::of("acme")
            .sftp("127.0.0.1", server.port, &server.user, folder.join("own"))
            .sftp_host_key(&server.key)
            .sftp_folder(exports.tree.to_string_lossy(), "")
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_server_brings_what_the_folder_brings_with_either_sort_of_key() {
        let folder = tempfile::tempdir().unwrap();
        let exports = deliver(folder.path());
        for sort in [&["-t", "rsa", "-b", "2048"][..], &["-t", "ed25519"]] {
            let keys = tempfile::tempdir().unwrap();
            let Some(server) = start(keys.path(), sort) else {
                return;
            };
            let work = tempfile::tempdir().unwrap();
            let config = config(&server, keys.path(), &exports);
            let found = read(with_tables(config, &exports, work.path()))
                .await
                .unwrap();
            assert_eq!(found, from_folder(&exports).await, "{sort:?}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_server_that_is_not_the_one_or_refuses_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let exports = deliver(folder.path());
        let Some(server) = start(folder.path(), &["-t", "ed25519"]) else {
            return;
        };
        let own = std::fs::read_to_string(folder.path().join("own.pub")).unwrap();
        run(
            "ssh-keygen",
            &[
                "-q",
                "-N",
                "",
                "-t",
                "ed25519",
                "-f",
                &folder.path().join("other").to_string_lossy(),
            ],
        );
        let whole = || config(&server, folder.path(), &exports).work(folder.path().join("work"));
        let cases = [
            // The key of somebody else.
            (
                whole().sftp_host_key(own),
                ErrorKind::Credentials,
                "SHA256:",
            ),
            (
                whole().sftp(
                    "127.0.0.1",
                    server.port,
                    &server.user,
                    folder.path().join("other"),
                ),
                ErrorKind::Credentials,
                "sftp_user",
            ),
            (
                whole().sftp_folder("/nowhere/at/all", ""),
                ErrorKind::NotFound,
                "/nowhere/at/all",
            ),
            (
                whole().sftp(
                    "127.0.0.1",
                    server.port,
                    &server.user,
                    folder.path().join("none"),
                ),
                ErrorKind::Config,
                "sftp_key",
            ),
        ];
        for (config, kind, word) in cases {
            let error = read(config).await.unwrap_err();
            let shown = format!("{error:?} {error}");
            assert_eq!(error.kind(), kind, "{shown}");
            assert!(shown.contains(word), "{shown}");
        }
    }
}
