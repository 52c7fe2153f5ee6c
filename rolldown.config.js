import { defineConfig } from 'rolldown'

// What loading costs is mostly the number of modules: each entry is one file, beside one that they share, so that waits and
// `closing` know of each other whichever entry they came from.
export default defineConfig({
  input: {
    index: 'src/index.ts',
    'io/index': 'src/io/index.ts',
    process: 'src/process.ts',
    'wsgi/index': 'src/wsgi/index.ts',
    'serve/cli': 'src/serve/cli.ts',
  },
  platform: 'node',
  external: /^node:/,
  output: {
    dir: 'dist',
    format: 'esm',
    chunkFileNames: '[name].js',
    codeSplitting: {
      groups: [
        { name: 'core', test: /src\/(?!index|process|wsgi\/|serve\/|io\/(index|async-fd|duplex|web|terminal))/ },
      ],
    },
  },
})
