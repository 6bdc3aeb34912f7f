/** What the decoders of files understand, in words: for error messages and help texts, which load no decoder. */
export const FILE_FORMATS = ['WAV', 'FLAC', 'Opus in Ogg, WebM or MP4'] as const;

/** `WAV, FLAC, Opus in Ogg, WebM or MP4` */
export const fileFormatsText = FILE_FORMATS.join(', ');
