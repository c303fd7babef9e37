//! Rules of the vault port.

use std::sync::Arc;

use koppel_core::ports::Vault;

use super::{Rule, hold, rules};

/// A vault, twice.
pub struct Fixture {
    /// The vault.
    pub vault: Arc<dyn Vault>,
    /// The same vault as another process would open it: same master key, other data keys.
    pub reopened: Arc<dyn Vault>,
}

rules!(Fixture:
    what_was_sealed_opens,
    a_sealed_text_does_not_show_the_text,
    sealing_twice_differs,
    another_context_is_refused,
    any_change_is_refused,
    what_was_not_sealed_is_refused,
    another_process_opens_it,
);

const CONTEXT: &str = "main#connection#shop";
const TEXT: &[u8] = b"ck_0123456789abcdef";

/// Any bytes, none and many.
pub async fn what_was_sealed_opens(f: &Fixture) -> Rule {
    let large = vec![7; 300 * 1024];
    for plain in [TEXT, b"", &[0, 255, 10], &large] {
        let sealed = f.vault.seal(CONTEXT, plain).await?;
        let opened = f.vault.open(CONTEXT, &sealed).await?;
        hold!(opened == plain, "{} bytes came back as {}", plain.len(), opened.len());
    }
    Ok(())
}

/// Nothing of the text is in what is stored.
pub async fn a_sealed_text_does_not_show_the_text(f: &Fixture) -> Rule {
    let sealed = f.vault.seal(CONTEXT, TEXT).await?;
    hold!(!sealed.windows(6).any(|part| TEXT.windows(6).any(|plain| plain == part)), "the sealed text shows the text");
    Ok(())
}

/// Equal texts cannot be recognised by their sealed form.
pub async fn sealing_twice_differs(f: &Fixture) -> Rule {
    let (first, second) = (f.vault.seal(CONTEXT, TEXT).await?, f.vault.seal(CONTEXT, TEXT).await?);
    hold!(first != second, "the same text was sealed twice to the same bytes");
    Ok(())
}

/// A secret of one connection cannot be moved to another.
pub async fn another_context_is_refused(f: &Fixture) -> Rule {
    let sealed = f.vault.seal(CONTEXT, TEXT).await?;
    for other in ["main#connection#shop2", "main#connection#sho", "other#connection#shop", ""] {
        let opened = f.vault.open(other, &sealed).await;
        hold!(opened.is_err(), "the context «{other}» opened what was sealed for «{CONTEXT}»");
    }
    Ok(())
}

/// A changed or missing byte anywhere is noticed.
pub async fn any_change_is_refused(f: &Fixture) -> Rule {
    let sealed = f.vault.seal(CONTEXT, TEXT).await?;
    // Every byte, unless that would be a call over the network for each of hundreds.
    let stride = (sealed.len() / 128).max(1);
    for at in (0..sealed.len()).step_by(stride).chain([sealed.len() - 1]) {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        hold!(f.vault.open(CONTEXT, &changed).await.is_err(), "a change of byte {at} of {} was accepted", sealed.len());
    }
    for length in [sealed.len() - 1, sealed.len() / 2, 1, 0] {
        let cut = f.vault.open(CONTEXT, &sealed[..length]).await;
        hold!(cut.is_err(), "the first {length} of {} bytes were accepted", sealed.len());
    }
    let longer = [sealed.as_slice(), b"x"].concat();
    hold!(f.vault.open(CONTEXT, &longer).await.is_err(), "an added byte was accepted");
    Ok(())
}

/// Plain text in a sealed field is an error, not a value.
pub async fn what_was_not_sealed_is_refused(f: &Fixture) -> Rule {
    for plain in [TEXT, b"", b"K", &[0; 400]] {
        hold!(f.vault.open(CONTEXT, plain).await.is_err(), "{} plain bytes were opened", plain.len());
    }
    Ok(())
}

/// Processes open what others sealed, whatever data key they are at.
pub async fn another_process_opens_it(f: &Fixture) -> Rule {
    let (here, there) = (f.vault.seal(CONTEXT, TEXT).await?, f.reopened.seal(CONTEXT, TEXT).await?);
    hold!(f.reopened.open(CONTEXT, &here).await? == TEXT, "another process opened something else");
    hold!(f.vault.open(CONTEXT, &there).await? == TEXT, "what another process sealed opened as something else");
    Ok(())
}
