//! The vault port without a cloud: envelope encryption with AES-256-GCM.
//!
//! A sealed text is `K`, the format version, the id of the master key, the data key sealed by that master key, a nonce,
//! and the text sealed by the data key. The header and the caller's context are authenticated with it. Data keys live
//! in memory only and are replaced long before random nonces could meet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Duration, Utc};
use koppel_core::ports::{Clock, Vault};
use koppel_core::{Cause, Failure};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::master_key::{KeyId, MasterKeys, hex, random_bytes};

const MAGIC: u8 = b'K';
const FORMAT: u8 = 1;
const ID_AT: usize = 2;
const WRAPPED_AT: usize = ID_AT + size_of::<KeyId>();
const TAG_LEN: usize = 16;
const WRAPPED_LEN: usize = NONCE_LEN + 32 + TAG_LEN;
const HEADER_LEN: usize = WRAPPED_AT + WRAPPED_LEN;
const DATA_KEY_AAD: &[u8] = b"koppel data key 1";

/// Texts one data key may seal: far below the 2^32 at which random nonces become risky.
const KEY_USES: u32 = 1 << 20;
/// Age at which a data key is replaced.
const KEY_AGE: Duration = Duration::hours(24);
/// Opened data keys of other processes and days that are remembered.
const KEYS_REMEMBERED: usize = 256;

type Header = [u8; HEADER_LEN];

struct DataKey {
    header: Header,
    key: Arc<LessSafeKey>,
    made_at: DateTime<Utc>,
    uses: u32,
}

/// Seals with a data key of this process under a master key.
pub struct EmbeddedVault {
    masters: MasterKeys,
    clock: Arc<dyn Clock>,
    sealing: Mutex<Option<DataKey>>,
    opened: Mutex<HashMap<Header, Arc<LessSafeKey>>>,
}

impl EmbeddedVault {
    /// A vault under these master keys.
    pub fn new(masters: MasterKeys, clock: Arc<dyn Clock>) -> Self {
        Self { masters, clock, sealing: Mutex::new(None), opened: Mutex::default() }
    }

    /// Seals without waiting: there is no I/O in it.
    pub fn seal_now(&self, context: &str, plain: &[u8]) -> Result<Vec<u8>, Failure> {
        let (header, key) = self.data_key()?;
        let nonce = random_bytes::<NONCE_LEN>()?;
        let mut sealed = Vec::with_capacity(HEADER_LEN + NONCE_LEN + plain.len() + TAG_LEN);
        sealed.extend_from_slice(&header);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let tag = key
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(associated(&header, context)),
                &mut sealed[HEADER_LEN + NONCE_LEN..],
            )
            .map_err(|_| Failure::reject(Cause::new("vault_too_large", "the text is too large to be sealed")))?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Opens without waiting.
    pub fn open_now(&self, context: &str, sealed: &[u8]) -> Result<Vec<u8>, Failure> {
        if sealed.len() < HEADER_LEN + NONCE_LEN + TAG_LEN || sealed[0] != MAGIC {
            return Err(unsealable("vault_not_sealed", "this was not sealed by the vault"));
        }
        if sealed[1] != FORMAT {
            let message = format!("this was sealed in format {}, this program knows format {FORMAT}", sealed[1]);
            return Err(unsealable("vault_format", &message));
        }
        let mut header: Header = [0; HEADER_LEN];
        header.copy_from_slice(&sealed[..HEADER_LEN]);
        let key = self.opened_key(&header)?;
        let nonce = nonce(&sealed[HEADER_LEN..HEADER_LEN + NONCE_LEN])?;
        let mut text = sealed[HEADER_LEN + NONCE_LEN..].to_vec();
        let length = key
            .open_in_place(nonce, Aad::from(associated(&header, context)), &mut text)
            .map_err(|_| unsealable("vault_refused", "the sealed text was changed, or was sealed for another purpose"))?
            .len();
        text.truncate(length);
        Ok(text)
    }

    fn data_key(&self) -> Result<(Header, Arc<LessSafeKey>), Failure> {
        let now = self.clock.now();
        let mut sealing = self.sealing.lock().unwrap_or_else(PoisonError::into_inner);
        let worn = |key: &DataKey| key.uses >= KEY_USES || now - key.made_at >= KEY_AGE;
        if sealing.as_ref().is_none_or(worn) {
            *sealing = Some(self.new_data_key(now)?);
        }
        match sealing.as_mut() {
            Some(key) => {
                key.uses += 1;
                Ok((key.header, key.key.clone()))
            }
            None => Err(unsealable("vault_key", "the vault has no data key")),
        }
    }

    fn new_data_key(&self, now: DateTime<Utc>) -> Result<DataKey, Failure> {
        let master =
            self.masters.current().ok_or_else(|| unsealable("vault_key_missing", "the vault has no master key"))?;
        let bytes = random_bytes::<32>()?;
        let nonce = random_bytes::<NONCE_LEN>()?;
        let mut wrapped = bytes.to_vec();
        master
            .key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(DATA_KEY_AAD), &mut wrapped)
            .map_err(|_| unsealable("vault_key", "a data key could not be sealed"))?;
        let mut header: Header = [0; HEADER_LEN];
        header[0] = MAGIC;
        header[1] = FORMAT;
        header[ID_AT..WRAPPED_AT].copy_from_slice(&master.id);
        header[WRAPPED_AT..WRAPPED_AT + NONCE_LEN].copy_from_slice(&nonce);
        header[WRAPPED_AT + NONCE_LEN..].copy_from_slice(&wrapped);
        let key = Arc::new(data_key(&bytes)?);
        self.remember(header, key.clone());
        Ok(DataKey { header, key, made_at: now, uses: 0 })
    }

    fn opened_key(&self, header: &Header) -> Result<Arc<LessSafeKey>, Failure> {
        if let Some(key) = self.opened.lock().unwrap_or_else(PoisonError::into_inner).get(header) {
            return Ok(key.clone());
        }
        let mut id = KeyId::default();
        id.copy_from_slice(&header[ID_AT..WRAPPED_AT]);
        let master = self.masters.find(&id).ok_or_else(|| {
            let message = format!("this was sealed with master key {}, which the vault does not have", hex(&id));
            unsealable("vault_other_key", &message)
        })?;
        let mut wrapped = header[WRAPPED_AT + NONCE_LEN..].to_vec();
        let bytes = master
            .key
            .open_in_place(nonce(&header[WRAPPED_AT..WRAPPED_AT + NONCE_LEN])?, Aad::from(DATA_KEY_AAD), &mut wrapped)
            .map_err(|_| unsealable("vault_refused", "the header of the sealed text was changed"))?;
        let key = Arc::new(data_key(bytes)?);
        self.remember(*header, key.clone());
        Ok(key)
    }

    fn remember(&self, header: Header, key: Arc<LessSafeKey>) {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if opened.len() >= KEYS_REMEMBERED {
            opened.clear();
        }
        opened.insert(header, key);
    }
}

#[async_trait]
impl Vault for EmbeddedVault {
    async fn seal(&self, context: &str, plain: &[u8]) -> Result<Vec<u8>, Failure> {
        self.seal_now(context, plain)
    }

    async fn open(&self, context: &str, sealed: &[u8]) -> Result<Vec<u8>, Failure> {
        self.open_now(context, sealed)
    }
}

// The header has a fixed length, so header and context cannot run into each other.
fn associated(header: &Header, context: &str) -> Vec<u8> {
    [header.as_slice(), context.as_bytes()].concat()
}

fn data_key(bytes: &[u8]) -> Result<LessSafeKey, Failure> {
    UnboundKey::new(&AES_256_GCM, bytes)
        .map(LessSafeKey::new)
        .map_err(|_| unsealable("vault_key", "a data key has the wrong length"))
}

fn nonce(bytes: &[u8]) -> Result<Nonce, Failure> {
    Nonce::try_assume_unique_for_key(bytes).map_err(|_| unsealable("vault_refused", "the sealed text is cut off"))
}

/// Trying again will not open it: somebody must bring the right key or enter the secret again.
fn unsealable(code: &str, message: &str) -> Failure {
    let cause = Cause::new(code, message).advice("use the vault key it was sealed with, or enter the secret again");
    Failure::settings(cause)
}

#[cfg(test)]
mod tests {
    use koppel_core::ports::SystemClock;

    use super::*;

    fn vault(keys: &str) -> EmbeddedVault {
        EmbeddedVault::new(MasterKeys::parse(keys, "test").unwrap(), Arc::new(SystemClock))
    }

    const OLD: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    const NEW: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

    #[test]
    fn a_new_master_key_opens_nothing_alone_and_everything_together_with_the_old_one() {
        let sealed = vault(OLD).seal_now("trail", b"x").unwrap();
        let alone = vault(NEW).open_now("trail", &sealed).unwrap_err();
        assert_eq!(alone.cause().code, "vault_other_key");
        assert_eq!(vault(&format!("{NEW},{OLD}")).open_now("trail", &sealed).unwrap(), b"x");
    }

    #[test]
    fn a_later_format_is_named() {
        let mut sealed = vault(OLD).seal_now("trail", b"x").unwrap();
        sealed[1] = 9;
        assert_eq!(vault(OLD).open_now("trail", &sealed).unwrap_err().cause().code, "vault_format");
        assert_eq!(vault(OLD).open_now("trail", b"plain text").unwrap_err().cause().code, "vault_not_sealed");
    }

    #[test]
    fn a_worn_data_key_is_replaced_and_still_opens() {
        let vault = vault(OLD);
        let first = vault.seal_now("trail", b"x").unwrap();
        vault.sealing.lock().unwrap().as_mut().unwrap().uses = KEY_USES;
        let second = vault.seal_now("trail", b"x").unwrap();
        assert_ne!(first[..HEADER_LEN], second[..HEADER_LEN]);
        assert_eq!(vault.open_now("trail", &first).unwrap(), vault.open_now("trail", &second).unwrap());
    }
}
