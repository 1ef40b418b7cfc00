//! A server that speaks S3 and checks signatures, over a folder, behind a door that can be shut.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::path::S3Path;
use s3s::service::S3ServiceBuilder;
use s3s::{S3Result, s3_error};
use tempfile::TempDir;

const ACCESS_KEY: &str = "watchpost-test";
const SECRET_KEY: &str = "correct horse battery staple";
const BUCKET: &str = "archive";

/// What the door does.
#[derive(Clone, Copy, PartialEq)]
#[repr(u8)]
pub enum Fault {
    /// Lets everything through.
    None,
    /// Breaks every connection, old and new.
    Gone,
    /// Answers everything with "service unavailable".
    Errors,
}

pub struct S3 {
    root: TempDir,
    door: Arc<Door>,
    port: u16,
}

struct Door {
    fault: AtomicU8,
    open: Mutex<Vec<TcpStream>>,
}

impl S3 {
    pub fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join(BUCKET)).unwrap();
        let server_port = serve(root.path().to_owned());
        let door = Arc::new(Door { fault: AtomicU8::new(Fault::None as u8), open: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let behind = door.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                behind.admit(client, server_port);
            }
        });
        Self { root, door, port }
    }

    /// The folder of the bucket that there is.
    pub fn bucket(&self) -> PathBuf {
        self.root.path().join(BUCKET)
    }

    /// What a user sets to reach it.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.port)),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
        ]
    }

    pub fn set(&self, fault: Fault) {
        self.door.fault.store(fault as u8, Ordering::SeqCst);
        for stream in self.door.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Door {
    fn admit(&self, mut client: TcpStream, server_port: u16) {
        let fault = self.fault.load(Ordering::SeqCst);
        if fault == Fault::Errors as u8 {
            // Not before something was asked, and not closed before the answer was read: on a thread of its own.
            std::thread::spawn(move || {
                let _ = client.read(&mut [0]);
                let _ = client.write_all(
                    b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
                );
                let _ = client.shutdown(Shutdown::Write);
                let _ = std::io::copy(&mut client, &mut std::io::sink());
            });
            return;
        }
        if fault != Fault::None as u8 {
            return;
        }
        let server = TcpStream::connect(("127.0.0.1", server_port)).unwrap();
        for (from, to) in [(&client, &server), (&server, &client)] {
            let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Both);
            });
        }
        self.open.lock().unwrap().extend([client, server]);
    }
}

/// The server's folder would let any bucket appear with its first object, which no store does.
struct OneBucket;

#[async_trait::async_trait]
impl S3Access for OneBucket {
    async fn check(&self, request: &mut S3AccessContext<'_>) -> S3Result<()> {
        if request.credentials().is_none() {
            return Err(s3_error!(AccessDenied));
        }
        match request.s3_path() {
            S3Path::Bucket { bucket } | S3Path::Object { bucket, .. } if **bucket != *BUCKET => {
                Err(s3_error!(NoSuchBucket))
            }
            _ => Ok(()),
        }
    }
}

/// Starts the server on a thread of its own, which ends with the test program; gives its port.
fn serve(root: PathBuf) -> u16 {
    let files = s3s_fs::FileSystem::new(root).unwrap();
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
    builder.set_access(OneBucket);
    let service = builder.build();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((socket, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    let _ = Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(socket), service)
                        .await;
                });
            }
        });
    });
    port
}
