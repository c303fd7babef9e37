//! The vault on KMS: envelope encryption with data keys that are kept in memory for a while.
//!
//! A sealed value is: format (1 byte), length of the wrapped key (2 bytes), wrapped key, nonce (12 bytes), AES-256-GCM
//! ciphertext with tag. Context and wrapped key are authenticated by AES-GCM; the first two parts of the context (purpose and tenant) are also the
//! encryption context of the data key, so that the audit log of KMS shows what for and for whom a key was opened.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use chrono::{DateTime, Duration, Utc};
use koppel_core::ports::{Clock, Vault};
use koppel_core::{Cause, Failure};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

use super::trouble::{Kind, Trouble};

const FORMAT: u8 = 1;
/// Name of the one entry in the encryption context of a data key.
const SCOPE: &str = "scope";
/// A data key is replaced after this many seals, far below what random nonces allow,
const SEALS_PER_KEY: u32 = 100_000;
/// or after this many minutes.
const KEY_MINUTES: i64 = 15;
/// Opened keys that are remembered; a step that reads a page of the trail needs a handful.
const OPENED_KEYS: usize = 256;

/// [`Vault`] on KMS.
pub struct KmsVault {
    client: Client,
    key_id: String,
    clock: Arc<dyn Clock>,
    random: SystemRandom,
    sealing: Mutex<HashMap<String, Sealing>>,
    opened: Mutex<HashMap<Vec<u8>, Arc<LessSafeKey>>>,
}

/// The data key that the values of one scope are sealed with at the moment.
struct Sealing {
    key: Arc<LessSafeKey>,
    wrapped: Vec<u8>,
    until: DateTime<Utc>,
    left: u32,
}

impl KmsVault {
    /// A vault whose data keys are wrapped by the key `key_id` (ARN or alias).
    pub fn new(config: &SdkConfig, key_id: &str, clock: Arc<dyn Clock>) -> Self {
        Self {
            client: Client::new(config),
            key_id: key_id.to_owned(),
            clock,
            random: SystemRandom::new(),
            sealing: Mutex::default(),
            opened: Mutex::default(),
        }
    }

    async fn sealing_key(&self, scope: &str) -> Result<(Arc<LessSafeKey>, Vec<u8>), Failure> {
        let now = self.clock.now();
        if let Ok(mut sealing) = self.sealing.lock()
            && let Some(current) = sealing.get_mut(scope)
            && current.until > now
            && current.left > 0
        {
            current.left -= 1;
            return Ok((current.key.clone(), current.wrapped.clone()));
        }
        let answer = self
            .client
            .generate_data_key()
            .key_id(&self.key_id)
            .key_spec(DataKeySpec::Aes256)
            .encryption_context(SCOPE, scope)
            .send()
            .await
            .map_err(|error| Trouble::of("KMS GenerateDataKey", &error).failure())?;
        let key = Arc::new(data_key(answer.plaintext())?);
        let wrapped = answer.ciphertext_blob().map(|blob| blob.as_ref().to_vec()).ok_or_else(no_key)?;
        let fresh = Sealing {
            key: key.clone(),
            wrapped: wrapped.clone(),
            until: now + Duration::minutes(KEY_MINUTES),
            left: SEALS_PER_KEY,
        };
        if let Ok(mut sealing) = self.sealing.lock() {
            sealing.retain(|_, old| old.until > now);
            sealing.insert(scope.to_owned(), fresh);
        }
        Ok((key, wrapped))
    }

    async fn opening_key(&self, scope: &str, wrapped: &[u8]) -> Result<Arc<LessSafeKey>, Failure> {
        // The scope is part of the memory's key: a cached key must not open what KMS would refuse.
        let memory_key = [scope.as_bytes(), b"\0", wrapped].concat();
        if let Some(key) = self.opened.lock().ok().and_then(|opened| opened.get(&memory_key).cloned()) {
            return Ok(key);
        }
        let answer = self
            .client
            .decrypt()
            .key_id(&self.key_id)
            .ciphertext_blob(Blob::new(wrapped))
            .encryption_context(SCOPE, scope)
            .send()
            .await
            .map_err(|error| match Trouble::of("KMS Decrypt", &error) {
                Trouble { kind: Kind::Invalid, text } => not_opened(&text),
                other => other.failure(),
            })?;
        let key = Arc::new(data_key(answer.plaintext())?);
        if let Ok(mut opened) = self.opened.lock() {
            if opened.len() >= OPENED_KEYS {
                opened.clear();
            }
            opened.insert(memory_key, key.clone());
        }
        Ok(key)
    }
}

#[async_trait]
impl Vault for KmsVault {
    async fn seal(&self, context: &str, plain: &[u8]) -> Result<Vec<u8>, Failure> {
        let (key, wrapped) = self.sealing_key(scope_of(context)).await?;
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(|_| not_sealed("no random numbers"))?;
        encrypt(&key, &wrapped, nonce, context, plain)
    }

    async fn open(&self, context: &str, sealed: &[u8]) -> Result<Vec<u8>, Failure> {
        let parts = Parts::of(sealed).ok_or_else(|| not_opened("it is not in the format of this vault"))?;
        let key = self.opening_key(scope_of(context), parts.wrapped).await?;
        decrypt(&key, &parts, context)
    }
}

/// What a sealed value consists of.
struct Parts<'a> {
    wrapped: &'a [u8],
    nonce: [u8; NONCE_LEN],
    ciphertext: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(sealed: &'a [u8]) -> Option<Self> {
        let (&[format, high, low], rest) = sealed.split_first_chunk::<3>()?;
        if format != FORMAT {
            return None;
        }
        let (wrapped, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LEN>()?;
        Some(Self { wrapped, nonce: *nonce, ciphertext })
    }
}

fn encrypt(
    key: &LessSafeKey,
    wrapped: &[u8],
    nonce: [u8; NONCE_LEN],
    context: &str,
    plain: &[u8],
) -> Result<Vec<u8>, Failure> {
    let length = u16::try_from(wrapped.len()).map_err(|_| not_sealed("the wrapped key is too long"))?;
    let mut body = plain.to_vec();
    key.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(authenticated(wrapped, context)),
        &mut body,
    )
    .map_err(|_| not_sealed("AES-GCM refused it"))?;
    Ok([&[FORMAT], &length.to_be_bytes()[..], wrapped, &nonce, &body].concat())
}

fn decrypt(key: &LessSafeKey, parts: &Parts<'_>, context: &str) -> Result<Vec<u8>, Failure> {
    let mut body = parts.ciphertext.to_vec();
    let nonce = Nonce::assume_unique_for_key(parts.nonce);
    let plain = key
        .open_in_place(nonce, Aad::from(authenticated(parts.wrapped, context)), &mut body)
        .map_err(|_| not_opened("it was changed, or sealed for another purpose"))?;
    Ok(plain.to_vec())
}

/// What is authenticated besides the ciphertext. The length in front keeps key and context apart.
fn authenticated(wrapped: &[u8], context: &str) -> Vec<u8> {
    [&wrapped.len().to_be_bytes()[..], wrapped, context.as_bytes()].concat()
}

/// The first two parts of a context, as in `trail#main#web-orders#23`: what for, and whose data it is.
fn scope_of(context: &str) -> &str {
    match context.match_indices('#').nth(1) {
        Some((end, _)) => &context[..end],
        // KMS takes no empty value in an encryption context.
        None if context.is_empty() => "-",
        None => context,
    }
}

fn data_key(plain: Option<&Blob>) -> Result<LessSafeKey, Failure> {
    let plain = plain.ok_or_else(no_key)?;
    UnboundKey::new(&AES_256_GCM, plain.as_ref()).map(LessSafeKey::new).map_err(|_| no_key())
}

fn no_key() -> Failure {
    not_sealed("KMS gave no usable data key")
}

fn not_sealed(why: &str) -> Failure {
    Failure::settings(Cause::new("vault_not_sealed", format!("a value cannot be sealed: {why}")))
}

fn not_opened(why: &str) -> Failure {
    Failure::settings(
        Cause::new("vault_not_opened", format!("a sealed value cannot be opened: {why}"))
            .advice("set the secret again; if it was copied from another stack, it can only be opened there"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> LessSafeKey {
        data_key(Some(&Blob::new([byte; 32]))).unwrap()
    }

    #[test]
    fn a_value_opens_only_whole_with_its_key_and_its_context() {
        let sealed = encrypt(&key(1), b"wrapped", [7; NONCE_LEN], "main#shop", b"secret").unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        let parts = Parts::of(&sealed).unwrap();
        assert_eq!(parts.wrapped, b"wrapped");
        assert_eq!(decrypt(&key(1), &parts, "main#shop").unwrap(), b"secret");
        assert!(decrypt(&key(1), &parts, "main#books").is_err());
        assert!(decrypt(&key(2), &parts, "main#shop").is_err());
        assert!(decrypt(&key(1), &Parts { wrapped: b"Wrapped", ..parts }, "main#shop").is_err());
        let cut = Parts::of(&sealed[..sealed.len() - 1]).unwrap();
        assert!(decrypt(&key(1), &cut, "main#shop").is_err());
    }

    #[test]
    fn a_foreign_format_is_refused_before_any_key_is_asked_for() {
        assert!(Parts::of(b"").is_none());
        assert!(Parts::of(&[2, 0, 0]).is_none());
        assert!(Parts::of(&[FORMAT, 0xff, 0xff, 0]).is_none());
    }

    #[test]
    fn the_scope_is_purpose_and_tenant() {
        assert_eq!(scope_of("trail#main#web-orders#23"), "trail#main");
        assert_eq!(scope_of("secret#main"), "secret#main");
        assert_eq!(scope_of(""), "-");
    }
}
