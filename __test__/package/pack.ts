/**
 * Makes the npm packages as a release does, installs them without network, and provides other versions of Node.js.
 * What has to be fetched once is fetched by name from the npm registry into `.build/`.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, copyFile, cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from '../house/project-files.js';

const run = promisify(execFile);
const build = join(root, '.build');

interface PackageJson {
  readonly version: string;
  readonly files: readonly string[];
  readonly dependencies: Readonly<Record<string, string>>;
  optionalDependencies?: Record<string, string>;
}

/** Exact versions of the Node.js binaries that the npm packages `node-PLATFORM-ARCH` hold. */
const NODES = { 20: '20.20.2', 22: '22.23.3', 24: '24.21.0' } as const;

/** The two packages of a release for this platform. */
export interface Packed {
  /** Tarball of `e2eeftp`. */
  readonly main: string;
  /** Tarball of `e2eeftp-PLATFORM`. */
  readonly platform: string;
  /** Such as `linux-x64-gnu`. */
  readonly name: string;
}

/** Packs this checkout into `directory`; it must be built. */
export async function packPackages(directory: string): Promise<Packed> {
  const name = await builtPlatform();
  const binary = `e2eeftp.${name}.node`;
  const manifest = await readPackageJson();
  const staging = join(directory, 'staging');
  await mkdir(staging, { recursive: true });
  for (const file of [...manifest.files, 'README.md', 'package.json']) {
    await cp(join(root, file), join(staging, file), { recursive: true });
  }
  await npx(staging, 'napi', ['create-npm-dirs']);
  const platforms = await readdir(join(staging, 'npm'));
  const { version } = manifest;
  manifest.optionalDependencies = Object.fromEntries(platforms.map((each) => [`e2eeftp-${each}`, version]));
  await writeFile(join(staging, 'package.json'), JSON.stringify(manifest));
  await copyFile(join(root, binary), join(staging, 'npm', name, binary));
  return { main: await pack(staging, directory), platform: await pack(join(staging, 'npm', name), directory), name };
}

/** Installs `tarballs` into the empty `directory` without network and answers the output of npm. */
export async function installOffline(directory: string, tarballs: readonly string[]): Promise<string> {
  const cache = await filledCache();
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'package.json'), '{"private":true}');
  const options = ['--offline', '--no-audit', '--no-fund', '--cache', cache];
  const { stdout, stderr } = await run('npm', ['install', ...options, ...tarballs], { cwd: directory });
  return stdout + stderr;
}

/** Path of a Node.js binary of that major version. */
export async function nodeBinary(major: keyof typeof NODES): Promise<string> {
  const version = NODES[major];
  const home = join(build, 'nodes', version);
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const binary = join(home, 'node_modules', name, 'bin/node');
  await once(home, async (fresh) => {
    await mkdir(fresh, { recursive: true });
    await writeFile(join(fresh, 'package.json'), '{"private":true}');
    await run('npm', ['install', '--no-audit', '--no-fund', `${name}@${version}`], { cwd: fresh });
  });
  return binary;
}

/** An npm cache that holds the dependencies of this package. */
async function filledCache(): Promise<string> {
  const { dependencies } = await readPackageJson();
  const hash = createHash('sha256').update(JSON.stringify(dependencies)).digest('hex').slice(0, 16);
  const cache = join(build, `npm-cache-${hash}`);
  await once(cache, async (fresh) => {
    const place = `${fresh}-install`;
    await mkdir(place, { recursive: true });
    await writeFile(join(place, 'package.json'), JSON.stringify({ private: true, dependencies }));
    await run('npm', ['install', '--no-audit', '--no-fund', '--cache', fresh], { cwd: place });
    await rm(place, { recursive: true });
  });
  return cache;
}

/** Makes `path` with `make` unless it is there; what was begun and not ended does not count. */
async function once(path: string, make: (fresh: string) => Promise<void>): Promise<void> {
  if (
    await access(path).then(
      () => true,
      () => false,
    )
  )
    return;
  const fresh = `${path}.${process.pid}`;
  await rm(fresh, { recursive: true, force: true });
  await make(fresh);
  await rename(fresh, path);
}

async function builtPlatform(): Promise<string> {
  const names = (await readdir(root)).flatMap((file) => /^e2eeftp\.(.+)\.node$/.exec(file)?.[1] ?? []);
  const [name] = names;
  if (name === undefined || names.length > 1) throw new Error('build the addon first: npm run build:native');
  return name;
}

async function readPackageJson(): Promise<PackageJson> {
  return JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as PackageJson;
}

async function pack(directory: string, destination: string): Promise<string> {
  const options = ['--json', '--ignore-scripts', '--pack-destination', destination];
  const { stdout } = await run('npm', ['pack', ...options], { cwd: directory });
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
  return join(destination, filename);
}

async function npx(cwd: string, tool: string, words: readonly string[]): Promise<void> {
  await run(join(root, 'node_modules/.bin', tool), [...words], { cwd });
}
