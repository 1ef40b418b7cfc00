//! A bucket of an S3-like store, for callers that block. The one place where this program is asynchronous of its own.
//!
//! Objects appear whole or not at all: small ones in one request, larger ones in parts that are joined by the last request.
//! Every request has a time limit, and failed ones are repeated a few times with growing pauses and then given up.

mod http;

use std::time::Duration;

use futures_util::StreamExt;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::{BackoffConfig, ObjectStore, ObjectStoreExt, PutPayload, RetryConfig};
use thiserror::Error;
use tokio::runtime::Runtime;
use tokio::time::timeout;

/// Larger objects go in parts of this size. S3 asks for 5 MiB at least, some stores for equal parts.
const PART_BYTES: usize = 8 << 20;
/// Within this time the next bytes of an answer must come.
const STALLED_AFTER: Duration = Duration::from_secs(60);
/// Pauses before a request is repeated: 0.2 s, doubled up to 5 s, with some randomness.
const BACKOFF: BackoffConfig = BackoffConfig {
    init_backoff: Duration::from_millis(200),
    max_backoff: Duration::from_secs(5),
    base: 2.0,
};
const MAX_RETRIES: usize = 5;
const RETRY_FOR: Duration = Duration::from_secs(120);

/// Why a bucket cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{place}: {problem}\n  remedy: {remedy}")]
pub struct BucketError {
    /// The bucket, and the endpoint where one was given.
    pub place: String,
    /// What happened.
    pub problem: String,
    /// What can be done about it.
    pub remedy: &'static str,
}

/// A bucket, or the part of it below a prefix. May be used from several threads at once.
pub struct Bucket {
    runtime: Runtime,
    store: Box<dyn ObjectStore>,
    prefix: Path,
    place: String,
}

impl Bucket {
    /// Opens `s3://BUCKET[/PREFIX]`. Endpoint, region and credentials come from the usual environment variables
    /// (`AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` and others).
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// When the address or the environment is wrong.
    pub fn open(address: &str) -> Result<Self, BucketError> {
        let fail = |problem: String, remedy| BucketError { place: address.to_owned(), problem, remedy };
        let rest = address.strip_prefix("s3://").unwrap_or_default();
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(fail("this is not the address of a bucket".to_owned(), "write s3://BUCKET/PREFIX"));
        }
        let prefix = Path::parse(prefix).map_err(|error| {
            fail(error.to_string(), "use a prefix of plain names, such as s3://BUCKET/archive/features")
        })?;
        let remedy = "check the AWS_* environment variables";
        let builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
        let setting = |key| builder.get_config_value(&key);
        let endpoint =
            setting(AmazonS3ConfigKey::S3Endpoint).or_else(|| setting(AmazonS3ConfigKey::Endpoint));
        if endpoint.is_some() && !names_credentials(&builder) {
            return Err(fail("the environment has no credentials for it".to_owned(), SET_KEYS));
        }
        let is_plain = endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://"));
        let connector = http::Connector::new(is_plain).map_err(|problem| {
            fail(problem, "install the certificates of the usual authorities (Debian: ca-certificates)")
        })?;
        let store = builder
            // An endpoint without encryption was asked for by its address.
            .with_allow_http(is_plain)
            .with_http_connector(connector)
            .with_retry(RetryConfig { backoff: BACKOFF, max_retries: MAX_RETRIES, retry_timeout: RETRY_FOR })
            .build()
            .map_err(|error| fail(error.to_string(), remedy))?;
        let place = match endpoint {
            Some(endpoint) => format!("{address} at {endpoint}"),
            None => address.to_owned(),
        };
        Self::of(Box::new(store), prefix, place)
    }

    /// A bucket of any store.
    pub(crate) fn of(store: Box<dyn ObjectStore>, prefix: Path, place: String) -> Result<Self, BucketError> {
        // The callers' threads drive their own requests; this one thread does the rest.
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(
                |error| BucketError {
                    place: place.clone(),
                    problem: format!("no thread can be started for it: {error}"),
                    remedy: "free resources of this machine",
                },
            )?;
        Ok(Self { runtime, store, prefix, place })
    }

    /// The bucket in words, for messages.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// An object's bytes; nothing if there is no such object.
    ///
    /// # Errors
    /// When the store refuses, fails repeatedly, or the object is longer than `max_bytes`.
    pub fn get(&self, name: &str, max_bytes: u64) -> Result<Option<Vec<u8>>, BucketError> {
        let path = self.prefix.clone().join(name);
        let got = self.runtime.block_on(read(&*self.store, &path, max_bytes));
        got.map_err(|failure| self.explain(name, failure))
    }

    /// Puts an object there, in place of one of the same name.
    ///
    /// # Errors
    /// When the store refuses or fails repeatedly; the object is then the old one, or still absent.
    pub fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), BucketError> {
        let path = self.prefix.clone().join(name);
        let done = self.runtime.block_on(write(&*self.store, &path, bytes));
        done.map_err(|failure| self.explain(name, failure))
    }

    fn explain(&self, name: &str, failure: Failure) -> BucketError {
        let place = self.place.clone();
        match failure {
            Failure::Store(error) => {
                let (problem, remedy) = explain(&error);
                BucketError { place, problem, remedy }
            }
            Failure::Stalled => BucketError {
                place,
                problem: format!("nothing came for {} s while {name} was read", STALLED_AFTER.as_secs()),
                remedy: AGAIN,
            },
            Failure::TooLong(bytes) => BucketError {
                place,
                problem: format!("{name} has {bytes} bytes, which no file of this program has"),
                remedy: "remove the object; it is not of this program",
            },
        }
    }
}

enum Failure {
    Store(object_store::Error),
    Stalled,
    TooLong(u64),
}

impl From<object_store::Error> for Failure {
    fn from(error: object_store::Error) -> Self {
        Self::Store(error)
    }
}

async fn read(store: &dyn ObjectStore, path: &Path, max_bytes: u64) -> Result<Option<Vec<u8>>, Failure> {
    let found = match store.get(path).await {
        Err(error @ object_store::Error::NotFound { .. }) if !lacks_bucket(&error) => return Ok(None),
        found => found?,
    };
    if found.meta.size > max_bytes {
        return Err(Failure::TooLong(found.meta.size));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(found.meta.size).unwrap_or_default());
    let mut stream = found.into_stream();
    while let Some(part) = timeout(STALLED_AFTER, stream.next()).await.map_err(|_| Failure::Stalled)? {
        bytes.extend_from_slice(&part?);
    }
    Ok(Some(bytes))
}

async fn write(store: &dyn ObjectStore, path: &Path, bytes: Vec<u8>) -> Result<(), Failure> {
    if bytes.len() <= PART_BYTES {
        store.put(path, bytes.into()).await?;
        return Ok(());
    }
    let payload = bytes::Bytes::from(bytes);
    let mut upload = store.put_multipart(path).await?;
    let joined = async {
        for first in (0..payload.len()).step_by(PART_BYTES) {
            let part = payload.slice(first..payload.len().min(first + PART_BYTES));
            upload.put_part(PutPayload::from(part)).await?;
        }
        upload.complete().await
    };
    if let Err(error) = joined.await {
        // Parts that stay behind are no object, and the store's own rules remove them.
        let _ = upload.abort().await;
        return Err(error.into());
    }
    Ok(())
}

/// Whether the environment says who asks. Where it does not, only the provider's own machines have an answer.
fn names_credentials(builder: &AmazonS3Builder) -> bool {
    use AmazonS3ConfigKey::{
        AccessKeyId, ContainerCredentialsFullUri, ContainerCredentialsRelativeUri, SkipSignature,
        WebIdentityTokenFile,
    };
    let is_public = builder.get_config_value(&SkipSignature).is_some_and(|skip| skip == "true");
    let sources =
        [AccessKeyId, ContainerCredentialsFullUri, ContainerCredentialsRelativeUri, WebIdentityTokenFile];
    is_public || sources.iter().any(|source| builder.get_config_value(source).is_some())
}

const SET_KEYS: &str = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
const AGAIN: &str = "give the same command again when the store answers; it goes on where it stopped";

fn lacks_bucket(error: &object_store::Error) -> bool {
    error.to_string().contains("NoSuchBucket")
}

/// What a store's error means for a person.
fn explain(error: &object_store::Error) -> (String, &'static str) {
    let text = chain(error);
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if lacks_bucket(error) {
        return ("there is no such bucket".to_owned(), "create the bucket, or correct its name");
    }
    // Where a machine of the provider would ask for its own credentials.
    if says(&["169.254.169.254", "169.254.170.2"]) {
        return (
            format!("the environment has no credentials, and this machine none of its own: {text}"),
            SET_KEYS,
        );
    }
    use object_store::Error::{PermissionDenied, Unauthenticated};
    if matches!(error, PermissionDenied { .. } | Unauthenticated { .. })
        || says(&["InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "NotSignedUp"])
    {
        return (
            format!("the store refuses these credentials: {text}"),
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN, if there is one) to a key that may read and write there, and AWS_REGION to the bucket's region",
        );
    }
    // The HTTP client's own errors: a connection that it could not make, or lost.
    if http::causes(error).any(|cause| cause.is::<hyper_util::client::legacy::Error>()) {
        return (
            format!("the store cannot be reached: {text}"),
            "check AWS_ENDPOINT_URL and the network, then give the same command again; it goes on where it stopped",
        );
    }
    (text, AGAIN)
}

/// An error with its causes, none said twice.
fn chain(error: &object_store::Error) -> String {
    let mut text = error.to_string();
    for more in http::causes(error).skip(1).map(ToString::to_string) {
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::memory::InMemory;

    fn bucket() -> Bucket {
        Bucket::of(Box::new(InMemory::new()), Path::from("a/b"), "memory".to_owned()).unwrap()
    }

    #[test]
    fn objects_of_one_and_of_many_parts_come_back_whole() {
        let bucket = bucket();
        assert_eq!(bucket.get("x", 100).unwrap(), None);
        for size in [0, 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES + 17] {
            let bytes: Vec<u8> = (0..size).map(|at| (at * 31 % 251) as u8).collect();
            bucket.put("x", bytes.clone()).unwrap();
            assert!(bucket.get("x", size as u64).unwrap() == Some(bytes), "{size} bytes");
        }
        let error = bucket.get("x", 100).unwrap_err().to_string();
        assert!(error.contains("memory: x has 16777233 bytes"), "{error}");
    }

    #[test]
    fn addresses_that_are_none_are_refused_with_the_form() {
        for wrong in ["", "bucket/prefix", "s3://", "s3:///prefix", "http://host/bucket"] {
            let error = Bucket::open(wrong).err().unwrap().to_string();
            assert!(error.contains("s3://BUCKET/PREFIX"), "{error}");
        }
        let error = Bucket::open("s3://bucket/a//b").err().unwrap().to_string();
        assert!(error.contains("plain names"), "{error}");
    }
}
