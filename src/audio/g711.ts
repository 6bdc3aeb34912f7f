/**
 * ITU-T G.711 expansion as tables of 256 16-bit samples. The formulas are those of the recommendation:
 * 14-bit μ-law and 13-bit A-law, scaled to the full 16 bits.
 */

/** μ-law octet → sample, ±32,124: octets are stored inverted; a bias of 33 (×4) is added before the chord's shift. */
function expandMulaw(octet: number): number {
  const bits = ~octet & 0xff;
  const exponent = (bits >> 4) & 7;
  const magnitude = (((bits & 0x0f) << 3) + 0x84) << exponent;
  return bits & 0x80 ? 0x84 - magnitude : magnitude - 0x84;
}

/** A-law octet → sample, ±32,256: even bits are stored inverted; a set sign bit means positive. */
function expandAlaw(octet: number): number {
  const bits = octet ^ 0x55;
  const exponent = (bits >> 4) & 7;
  const step = ((bits & 0x0f) << 4) + 8;
  const magnitude = exponent === 0 ? step : (step + 0x100) << (exponent - 1);
  return bits & 0x80 ? magnitude : -magnitude;
}

const table = (expand: (octet: number) => number): Int16Array =>
  Int16Array.from({ length: 256 }, (_, octet) => expand(octet));

export const MULAW: Int16Array = table(expandMulaw);
export const ALAW: Int16Array = table(expandAlaw);
