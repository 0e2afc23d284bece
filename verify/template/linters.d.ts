/** Two linters without types of their own, as far as they are used here. */

declare module "@wmfs/statelint" {
  export default function stateLint(): { validate(definition: unknown): string[] };
}

declare module "asl-validator" {
  export default function validate(
    definition: unknown,
    options: { checkArn: boolean; checkPaths: boolean },
  ): { errors: unknown[] };
}
