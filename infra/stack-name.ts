/** Id of the stack in the app, its entry in an outputs file, and its name unless the setting `stackName` changes it. */
export const STACK_NAME = "Cinderless";
