import stateLint from "@wmfs/statelint";
import languageService from "amazon-states-language-service";
import validate from "asl-validator";

/**
 * Findings of three public linters of the Amazon States Language in a definition, one line each. They share no code: AWS's own language
 * service of its editor extensions, asl-validator, and statelint, a port of the linter of the language's authors.
 */
export async function statesLanguageFindings(definition: string): Promise<string[]> {
  return [
    ...(await languageServiceFindings(definition)),
    ...validatorFindings(definition),
    ...stateLint()
      .validate(JSON.parse(definition))
      .map((problem) => `statelint: ${problem}`),
  ];
}

async function languageServiceFindings(definition: string): Promise<string[]> {
  const service = languageService.getLanguageService({});
  const document = languageService.TextDocument.create("file:///definition.asl.json", "json", 1, definition);
  const problems = await service.doValidation(document, service.parseJSONDocument(document));
  return problems.map(
    ({ message, range }) =>
      `amazon-states-language-service: line ${range.start.line + 1}: ${typeof message === "string" ? message : message.value}`,
  );
}

function validatorFindings(definition: string): string[] {
  const { errors } = validate(JSON.parse(definition), { checkArn: true, checkPaths: true });
  return errors.map((error) => `asl-validator: ${JSON.stringify(error)}`);
}
