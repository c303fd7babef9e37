//! Small pictures that are made on the spot: one plain colour that follows from the name.

/// A picture in one colour.
pub fn png(name: &str, side: u32) -> Vec<u8> {
    let hash = checksum(name.as_bytes());
    colour(side, [(hash >> 16) as u8, (hash >> 8) as u8, hash as u8])
}

/// What the books give to who does not show a token: one white dot.
pub fn placeholder() -> Vec<u8> {
    colour(1, [255, 255, 255])
}

/// `image/png` or `image/jpeg`, by the first bytes.
pub fn kind(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some("image/png")
    } else if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
        Some("image/jpeg")
    } else {
        None
    }
}

fn colour(side: u32, rgb: [u8; 3]) -> Vec<u8> {
    let mut rows = Vec::new();
    for _ in 0..side {
        rows.push(0);
        rows.extend((0..side).flat_map(|_| rgb));
    }
    let mut head = Vec::new();
    head.extend(side.to_be_bytes());
    head.extend(side.to_be_bytes());
    head.extend([8, 2, 0, 0, 0]);
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, data) in [(b"IHDR", head), (b"IDAT", stored(&rows)), (b"IEND", Vec::new())] {
        file.extend((data.len() as u32).to_be_bytes());
        let mut part = name.to_vec();
        part.extend(data);
        file.extend(&part);
        file.extend(checksum(&part).to_be_bytes());
    }
    file
}

/// zlib without compression.
fn stored(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let blocks: Vec<&[u8]> = data.chunks(0xffff).collect();
    for (at, block) in blocks.iter().enumerate() {
        out.push(u8::from(at + 1 == blocks.len()));
        let length = block.len() as u16;
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(*block);
    }
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in data {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    out.extend((b << 16 | a).to_be_bytes());
    out
}

fn checksum(data: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in data {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
        }
    }
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_the_form_of_one() {
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926);
        assert_eq!(stored(b"abc").last_chunk::<4>(), Some(&[0x02, 0x4d, 0x01, 0x27]), "adler");
        let (one, other) = (png("a", 8), png("b", 8));
        assert_ne!(one, other);
        assert_eq!((kind(&one), kind(b"GIF89a")), (Some("image/png"), None));
        assert!(one.ends_with(b"IEND\xae\x42\x60\x82"));
    }
}
