//! A real S3 server on a folder, and what happens to requests on their way to it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use http::request::Parts;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// Who may do everything in the store.
const KEY: (&str, &str) = ("backup-operator", "a-secret-for-tests");
/// The bucket that is there.
const BUCKET: &str = "archives";

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Pass,
    /// It is answered with this status and never seen by the store.
    Refuse(u16),
    /// It waits for [`Store::release`].
    Hold,
}

type Rule = Box<dyn Fn(&Parts) -> Fate + Send>;

struct Way {
    rule: Mutex<Rule>,
    held: Notify,
    released: Notify,
}

/// The server ends with it.
pub(crate) struct Store {
    folder: tempfile::TempDir,
    address: SocketAddr,
    way: Arc<Way>,
    server: tokio::task::JoinHandle<()>,
}

impl Store {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(KEY.0, KEY.1));
        let service = builder.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let way = Arc::new(Way {
            rule: Mutex::new(Box::new(|_request| Fate::Pass)),
            held: Notify::new(),
            released: Notify::new(),
        });
        let server = tokio::spawn(serve(listener, service, Arc::clone(&way)));
        Self { folder, address, way, server }
    }

    /// What the usual variables of the environment say about it.
    pub(crate) fn environment(&self) -> [(&'static str, String); 4] {
        [
            ("AWS_ENDPOINT_URL", format!("http://{}", self.address)),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", KEY.0.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", KEY.1.to_owned()),
        ]
    }

    /// From now on requests go by this rule.
    pub(crate) fn rule(&self, rule: impl Fn(&Parts) -> Fate + Send + 'static) {
        *self.way.rule.lock().unwrap() = Box::new(rule);
    }

    /// Waits until a request is held.
    pub(crate) async fn held(&self) {
        self.way.held.notified().await;
    }

    /// Lets the request go on that is held.
    pub(crate) fn release(&self) {
        self.way.released.notify_one();
    }

    /// The file behind an object of the bucket.
    pub(crate) fn file(&self, key: &str) -> PathBuf {
        self.folder.path().join(BUCKET).join(key)
    }

    /// The objects of the bucket, as files below it.
    pub(crate) fn keys(&self) -> Vec<String> {
        let bucket = self.folder.path().join(BUCKET);
        let mut keys = files(&bucket).into_iter().map(|file| key(&bucket, &file)).collect::<Vec<_>>();
        keys.sort();
        keys
    }

    /// What uploads in parts have left beside the buckets.
    pub(crate) fn parts(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.folder.path()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        names.filter(|name| name.contains("upload_id") || name.starts_with(".upload-")).collect()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn key(bucket: &Path, file: &Path) -> String {
    file.strip_prefix(bucket).unwrap().to_string_lossy().into_owned()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

async fn serve(listener: TcpListener, service: S3Service, way: Arc<Way>) {
    loop {
        let (stream, _peer) = listener.accept().await.unwrap();
        tokio::spawn(connection(stream, service.clone(), Arc::clone(&way)));
    }
}

async fn connection(stream: TcpStream, service: S3Service, way: Arc<Way>) {
    let answer = service_fn(move |request: Request<Incoming>| {
        let (service, way) = (service.clone(), Arc::clone(&way));
        async move {
            let (head, body) = request.into_parts();
            let fate = (way.rule.lock().unwrap())(&head);
            match fate {
                Fate::Pass => {}
                Fate::Refuse(status) => {
                    let body = s3s::Body::from("<Error><Code>Injected</Code></Error>".to_owned());
                    return Ok::<_, Infallible>(Response::builder().status(status).body(body).unwrap());
                }
                Fate::Hold => {
                    way.held.notify_one();
                    way.released.notified().await;
                }
            }
            Ok(service.call(Request::from_parts(head, body.into())).await.unwrap())
        }
    });
    // A client that is killed breaks its connection.
    let _broken = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
}
