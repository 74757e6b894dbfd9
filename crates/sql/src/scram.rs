//! The verifier of a password for SCRAM-SHA-256 (RFC 5802, RFC 7677), in the form of RFC 5803. Pure: the salt is handed in.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// PostgreSQL's number.
pub const ITERATIONS: u32 = 4096;
const PREFIX: &str = "SCRAM-SHA-256$";

/// True for a text that is a verifier already, as dumps of roles hold it.
pub fn is_verifier(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(PREFIX) else { return false };
    let parts: Vec<&str> = rest.split(['$', ':']).collect();
    parts.len() == 4 && parts[0].parse::<u32>().is_ok_and(|n| n > 0) && parts[1..].iter().all(|part| !part.is_empty())
}

/// `SCRAM-SHA-256$iterations:salt$stored:server`. The password is taken as it is: SASLprep changes only rare characters, and PostgreSQL
/// too uses a password unchanged where it cannot be prepared.
pub fn verifier(password: &str, salt: &[u8]) -> String {
    let salted = salted_password(password.as_bytes(), salt, ITERATIONS);
    let client_key = mac(&salted, &[b"Client Key"]);
    let stored_key = Sha256::digest(client_key);
    let server_key = mac(&salted, &[b"Server Key"]);
    format!("{PREFIX}{ITERATIONS}:{}${}:{}", base64(salt), base64(&stored_key), base64(&server_key))
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// PBKDF2 with one block (RFC 8018).
fn salted_password(password: &[u8], salt: &[u8], iterations: u32) -> [u8; 32] {
    let mut block = mac(password, &[salt, &1u32.to_be_bytes()]);
    let mut sum = block;
    for _ in 1..iterations {
        block = mac(password, &[&block]);
        sum.iter_mut().zip(block).for_each(|(sum, byte)| *sum ^= byte);
    }
    sum
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = u32::from(chunk[0]) << 16 | u32::from(*chunk.get(1).unwrap_or(&0)) << 8 | u32::from(*chunk.get(2).unwrap_or(&0));
        for at in 0..4 {
            let digit = ALPHABET[(word >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The user, password and salt of RFC 7677, section 3; its server signature follows from these keys.
    #[test]
    fn the_example_of_the_standard_gives_its_keys() {
        let salt = [0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa, 0x81];
        let verifier = verifier("pencil", &salt);
        assert!(verifier.starts_with("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"), "{verifier}");
        assert!(
            verifier.ends_with("WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="),
            "{verifier}"
        );
        assert!(is_verifier(&verifier));
        assert!(!is_verifier("SCRAM-SHA-256$x"));
    }
}
