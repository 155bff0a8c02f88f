// Tests are compiled by `tsc -p __test__` into .test-out/, a folder as deep as __test__/, so that
// their imports of ../../dist/… hold in both. Child processes instead of worker threads: the native
// addon owns threads and sockets, and some tests end their process on purpose.
export default {
  files: ['__test__/**/*.test.ts'],
  typescript: { rewritePaths: { '__test__/': '.test-out/' }, compile: false },
  workerThreads: false,
  concurrency: 2,
  timeout: '2m',
};
