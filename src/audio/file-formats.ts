/** The formats that the file decoders support, as text for errors and help; importing this loads no decoder. */
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
