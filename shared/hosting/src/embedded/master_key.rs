//! Master keys of the embedded vault: from the environment, or from a file next to the database.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use koppel_core::{Cause, Failure};
use ring::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};

/// Environment variable with the master key (base64 of 32 bytes); older keys may follow after commas.
pub const VARIABLE: &str = "KOPPEL_VAULT_KEY";
const KEY_BYTES: usize = 32;

/// Names a master key without giving it away.
pub type KeyId = [u8; 8];

/// One master key.
pub struct MasterKey {
    /// Its name in everything it seals.
    pub id: KeyId,
    /// The key itself.
    pub key: LessSafeKey,
}

/// All master keys: the first seals, every one opens.
pub struct MasterKeys(Vec<MasterKey>);

impl MasterKeys {
    /// A new key that nobody else has: for databases in memory.
    pub fn random() -> Result<Self, Failure> {
        Ok(Self(vec![master_key(&random_bytes::<KEY_BYTES>()?)?]))
    }

    /// Keys as text: base64, separated by commas, the one in use first. `origin` is where it came from, for errors.
    pub fn parse(text: &str, origin: &str) -> Result<Self, Failure> {
        let keys: Vec<_> = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| match STANDARD.decode(part) {
                Ok(bytes) if bytes.len() == KEY_BYTES => master_key(&bytes),
                Ok(bytes) => Err(bad_key(origin, &format!("has {} bytes instead of {KEY_BYTES}", bytes.len()))),
                Err(_) => Err(bad_key(origin, "is not base64")),
            })
            .collect::<Result<_, _>>()?;
        if keys.is_empty() { Err(bad_key(origin, "is empty")) } else { Ok(Self(keys)) }
    }

    /// Reads the key file. Creates it when it is not there and `may_create`; otherwise its absence is an error, because
    /// everything that was sealed would be lost behind a new key.
    pub fn from_file(path: &Path, may_create: bool) -> Result<Self, Failure> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound && may_create => {
                create(path)?;
                fs::read_to_string(path).map_err(|error| file_error(path, &error))?
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let cause = Cause::new("vault_key_missing", "the key file of this database is not there")
                    .advice(format!("put the file back, or set {VARIABLE} to its contents"));
                return Err(Failure::settings(cause.in_file(path.display().to_string())));
            }
            Err(error) => return Err(file_error(path, &error)),
        };
        refuse_readable_by_others(path)?;
        Self::parse(&text, &path.display().to_string())
    }

    /// The key that seals.
    pub fn current(&self) -> Option<&MasterKey> {
        self.0.first()
    }

    /// The key with this id.
    pub fn find(&self, id: &KeyId) -> Option<&MasterKey> {
        self.0.iter().find(|key| key.id == *id)
    }

    /// Refuses keys that cannot open what the database has sealed; `known` is the id of the key it was sealed with.
    pub fn belong_to(&self, known: Option<&str>, database: &Path) -> Result<(), Failure> {
        match known {
            Some(id) if !self.0.iter().any(|key| hex(&key.id) == id) => {
                let cause = Cause::new("vault_other_key", format!("the database is sealed with master key {id}"))
                    .advice(format!("bring back that key; to change keys, set {VARIABLE} to «new,old»"));
                Err(Failure::settings(cause.in_file(database.display().to_string())))
            }
            _ => Ok(()),
        }
    }
}

/// An id as text.
pub fn hex(id: &KeyId) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Fresh random bytes.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Failure::settings(Cause::new("no_randomness", "the machine gives no random numbers")))?;
    Ok(bytes)
}

fn master_key(bytes: &[u8]) -> Result<MasterKey, Failure> {
    let key = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| bad_key("vault key", "has the wrong length"))?;
    let digest = digest::digest(&digest::SHA256, &[b"koppel master key id\0", bytes].concat());
    let mut id = KeyId::default();
    id.copy_from_slice(&digest.as_ref()[..size_of::<KeyId>()]);
    Ok(MasterKey { id, key: LessSafeKey::new(key) })
}

/// Writes a new key beside its place and links it there in one step: of two processes one wins, both read the same,
/// and nobody ever reads half a key.
fn create(path: &Path) -> Result<(), Failure> {
    let text = STANDARD.encode(random_bytes::<KEY_BYTES>()?) + "\n";
    let draft = path.with_extension(format!("{}.new", uuid::Uuid::new_v4().simple()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let linked = options.open(&draft).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::hard_link(&draft, path)
    });
    let _ = fs::remove_file(&draft);
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(file_error(path, &error)),
        _ => sync_folder(path),
    }
}

// A power cut right after creation must not lose the name of a key that has already sealed something.
fn sync_folder(path: &Path) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| file_error(path, &error))
}

#[cfg(unix)]
fn refuse_readable_by_others(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).map_err(|error| file_error(path, &error))?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let cause =
        Cause::new("vault_key_exposed", format!("the key file can be read by others (mode {:o})", mode & 0o777))
            .advice(format!("chmod 600 {}", path.display()));
    Err(Failure::settings(cause.in_file(path.display().to_string())))
}

#[cfg(not(unix))]
fn refuse_readable_by_others(_path: &Path) -> Result<(), Failure> {
    Ok(())
}

fn bad_key(origin: &str, what: &str) -> Failure {
    let cause = Cause::new("vault_key_invalid", format!("the vault key in {origin} {what}"))
        .advice("make one with: openssl rand -base64 32");
    Failure::settings(cause)
}

fn file_error(path: &Path, error: &std::io::Error) -> Failure {
    let cause = Cause::new("vault_key_unreadable", format!("the key file cannot be used: {error}"));
    Failure::settings(cause.in_file(path.display().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_key_says_what_is_wrong_and_how_to_make_a_right_one() {
        for (text, word) in [("", "is empty"), ("%%%", "is not base64"), ("AAAA", "has 3 bytes instead of 32")] {
            let failure = MasterKeys::parse(text, VARIABLE).err().unwrap();
            let message = failure.to_string();
            assert!(message.contains(word) && message.contains(VARIABLE) && message.contains("openssl"), "{message}");
        }
    }

    #[test]
    fn the_file_is_created_once_and_only_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("koppel.db.key");
        let first = MasterKeys::from_file(&path, true).unwrap();
        let second = MasterKeys::from_file(&path, true).unwrap();
        assert_eq!(first.current().unwrap().id, second.current().unwrap().id);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft stays behind");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            assert_eq!(MasterKeys::from_file(&path, true).err().unwrap().cause().code, "vault_key_exposed");
        }
    }

    #[test]
    fn a_lost_file_is_an_error_and_not_a_new_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("koppel.db.key");
        assert_eq!(MasterKeys::from_file(&path, false).err().unwrap().cause().code, "vault_key_missing");
        assert!(!path.exists());
    }
}
