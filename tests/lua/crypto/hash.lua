global assert, crypto, pairs

-- Published answers: FIPS 180-4, FIPS 202, RFC 1321.
local answers = {
  md5 = "900150983cd24fb0d6963f7d28e17f72",
  sha1 = "a9993e364706816aba3e25717850c26c9cd0d89d",
  sha224 = "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
  sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  ["sha3-256"] = "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
}
for algorithm, answer in pairs(answers) do
  assert.eq(crypto.hash("abc", algorithm), answer, algorithm)
end
assert.eq(crypto.hash("abc"), answers.sha256)
-- Bytes, not text.
assert.eq(crypto.hash("\xff\0\xfe"), "af9ceddc9d8b08ac09e1994bfd20459b5e377425df7354dfce3501992828a5b7")
assert.eq(crypto.hmac("Jefe", "what do ya want for nothing?"),
  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
assert.eq(#crypto.hmac("Jefe", "\0\xff", "sha512", true), 64)
