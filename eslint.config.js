import eslint from '@eslint/js'
import tseslint from 'typescript-eslint'

export default tseslint.config(
  { ignores: ['dist/', 'build/', '.cache/', 'benchmarks/results/', '**/node_modules/'] },
  eslint.configs.recommended,
  {
    // Typed rules, above all those on promises that nobody waits for.
    files: ['src/**/*.ts', 'test/**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { project: ['./tsconfig.json', './test/tsconfig.json'] } },
    rules: {
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      // What is rejected with is whatever was caught, a signal's reason included.
      '@typescript-eslint/prefer-promise-reject-errors': 'off',
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // Tests start waits without awaiting them, pass wrong types on purpose, and read fixtures' JSON.
      '@typescript-eslint/no-floating-promises': 'off',
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-misused-promises': 'off',
      '@typescript-eslint/only-throw-error': 'off',
      '@typescript-eslint/restrict-template-expressions': 'off',
      '@typescript-eslint/await-thenable': 'off',
    },
  },
  {
    files: ['**/*.mjs', '**/*.js'],
    rules: { 'no-unused-vars': ['error', { varsIgnorePattern: '^_', argsIgnorePattern: '^_' }] },
    languageOptions: {
      globals: Object.fromEntries(
        // The globals of Node that these programs use.
        [
          'AbortController AbortSignal TextDecoderStream Buffer clearInterval clearTimeout console gc performance process queueMicrotask',
          'fetch setImmediate setInterval setTimeout structuredClone TextDecoder TextEncoder URL WeakRef FinalizationRegistry',
        ]
          .flatMap((names) => names.split(' '))
          .map((name) => [name, 'readonly']),
      ),
    },
  },
)
