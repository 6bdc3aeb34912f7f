/** What the decoders of files understand, in words: for error messages and help texts, which load no decoder. */
export const FILE_FORMATS = [
  'WAV',
  'FLAC',
  'MP3',
  'M4A',
  'Ogg',
  'WebM',
  'MP4',
  'MOV',
  'AIFF',
  'AU',
  'CAF',
] as const;

/** `WAV, FLAC, MP3 … and many more` */
export const fileFormatsText = `${FILE_FORMATS.join(', ')} and many more`;
