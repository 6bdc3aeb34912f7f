/** `rnnt-server models [name]` */
import { listModels, loadModel, modelFolder, readManifest } from '../models/store.js';

export async function showModels(name: string | undefined): Promise<number> {
  if (name !== undefined) {
    const { manifest } = await loadModel(name);
    process.stdout.write(
      `${manifest.name} ${manifest.version}: ${manifest.files.length} files, all as the manifest says\n`,
    );
    return 0;
  }
  for (const model of listModels()) {
    const { version, language, licence, description, files } = readManifest(modelFolder(model));
    const megabytes = files.reduce((sum, file) => sum + file.bytes, 0) / 1e6;
    process.stdout.write(
      `${model}  ${version}  ${language}  ${megabytes.toFixed(1)} MB  ${licence}\n    ${description}\n`,
    );
  }
  return 0;
}
