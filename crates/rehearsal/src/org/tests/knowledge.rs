//! Articles: drafts, publication, translations, categories, what is refused (Salesforce object reference, section 6).

use super::*;

fn groups() -> KnowledgeSettings {
    let category = |name: &str, parent: Option<&str>| DataCategory {
        name: name.into(),
        label: name.into(),
        parent: parent.map(str::to_owned),
    };
    KnowledgeSettings::new(["en_US", "de"]).group(CategoryGroup {
        name: "Help".into(),
        label: "Help".into(),
        active: true,
        categories: vec![
            category("All", None),
            category("Orders", Some("All")),
            category("Returns", Some("Orders")),
            category("Care", Some("All")),
        ],
    })
}

async fn bench() -> Bench {
    Bench::with(|options| {
        let key = CustomField {
            unique: false,
            ..CustomField::source_key("Knowledge__kav")
        };
        options.knowledge(groups()).custom_field(key)
    })
    .await
}

impl Bench {
    async fn act(&self, action: &str, input: Value) -> Value {
        let path = format!("actions/standard/{action}");
        let answer = self.send("POST", &path, json!({"inputs": [input]})).await;
        answer.body[0].clone()
    }

    async fn publish(&self, id: &str, how: &str) -> Value {
        let input = json!({"articleVersionIdList": [id], "pubAction": how});
        let answer = self.act("publishKnowledgeArticles", input).await;
        answer["outputValues"][&id[..15]].clone()
    }

    fn article(&self, id: &str) -> Value {
        let rows = self.org.dump("Knowledge__kav").unwrap();
        rows.into_iter()
            .find(|row| row["Id"] == id)
            .unwrap_or(Value::Null)
    }
}

fn draft(name: &str) -> Value {
    json!({"Title": name, "UrlName": name})
}

#[tokio::test]
async fn without_knowledge_there_are_no_articles() {
    let bench = Bench::new().await;
    let (code, _) = bench.refused("Knowledge__kav", draft("a")).await;
    assert_eq!(code, "INVALID_TYPE");
    assert_eq!(
        bench.get("sobjects/Knowledge__kav/describe").await.status,
        404
    );
    let body = json!({"inputs": []});
    let answer = bench
        .send("POST", "actions/standard/publishKnowledgeArticles", body)
        .await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn an_article_is_a_draft_until_it_is_published_and_frozen_then() {
    let bench = bench().await;
    let id = bench.add("Knowledge__kav", draft("a")).await;
    let row = bench.article(&id);
    assert_eq!(row["PublishStatus"], "Draft");
    assert_eq!(
        (&row["Language"], &row["IsVisibleInApp"]),
        (&json!("en_US"), &json!(true))
    );
    assert_eq!(row["IsVisibleInPkb"], false, "nothing is public by itself");
    let patch = json!({"Title": "b"});
    let changed = bench
        .send(
            "PATCH",
            &format!("sobjects/Knowledge__kav/{id}"),
            patch.clone(),
        )
        .await;
    assert_eq!(changed.status, 204);
    assert_eq!(bench.publish(&id, "PUBLISH_ARTICLE").await, "Success");
    assert_eq!(bench.article(&id)["PublishStatus"], "Online");
    let again = bench.publish(&id, "PUBLISH_ARTICLE").await;
    assert!(
        again
            .as_str()
            .unwrap()
            .starts_with("You can't perform this action")
    );
    let changed = bench
        .send("PATCH", &format!("sobjects/Knowledge__kav/{id}"), patch)
        .await;
    assert_eq!(
        changed.body[0]["errorCode"],
        "INSUFFICIENT_ACCESS_OR_READONLY"
    );
}

#[tokio::test]
async fn one_bad_version_does_not_keep_the_others_from_being_published() {
    let bench = bench().await;
    let (one, two) = (
        bench.add("Knowledge__kav", draft("a")).await,
        bench.add("Knowledge__kav", draft("b")).await,
    );
    bench.publish(&one, "PUBLISH_ARTICLE").await;
    let input = json!({"articleVersionIdList": [one, two], "pubAction": "PUBLISH_ARTICLE"});
    let answer = bench.act("publishKnowledgeArticles", input).await;
    assert_eq!(
        (&answer["isSuccess"], &answer["errors"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(answer["outputValues"][&two[..15]], "Success");
}

#[tokio::test]
async fn what_is_published_is_archived_before_it_is_deleted_and_takes_its_translations_along() {
    let bench = bench().await;
    let id = bench.add("Knowledge__kav", draft("a")).await;
    let article = bench.article(&id)["KnowledgeArticleId"]
        .as_str()
        .unwrap()
        .to_owned();
    let me = bench.org.user_id();
    let input = json!({"articleId": article, "language": "de", "assigneeId": me});
    let answer = bench
        .act("submitKnowledgeArticleForTranslation", input.clone())
        .await;
    assert_eq!(answer["isSuccess"], true, "{answer}");
    let twice = bench
        .act("submitKnowledgeArticleForTranslation", input)
        .await;
    assert_eq!(twice["isSuccess"], false);
    let german = bench.org.dump("Knowledge__kav").unwrap().remove(1);
    assert_eq!(
        (&german["Language"], &german["MasterVersionId"]),
        (&json!("de"), &json!(id))
    );
    let german = german["Id"].as_str().unwrap();
    let early = bench.publish(german, "PUBLISH_TRANSLATION").await;
    assert_ne!(early, "Success", "its main language is a draft");
    bench.publish(&id, "PUBLISH_ARTICLE").await;
    assert_eq!(
        bench.publish(german, "PUBLISH_TRANSLATION").await,
        "Success"
    );
    let gone = bench
        .send(
            "DELETE",
            &format!("sobjects/Knowledge__kav/{id}"),
            Value::Null,
        )
        .await;
    assert_eq!(gone.body[0]["errorCode"], "DELETE_FAILED");
    let input = json!({"articleVersionIdList": [id]});
    bench.act("archiveKnowledgeArticles", input.clone()).await;
    assert_eq!(bench.article(german)["PublishStatus"], "Archived");
    let answer = bench.act("deleteKnowledgeArticles", input).await;
    assert_eq!(answer["isSuccess"], true);
    assert_eq!(bench.org.dump("Knowledge__kav").unwrap().len(), 0);
    assert_eq!(bench.org.dump("Knowledge__ka").unwrap().len(), 0);
}

#[tokio::test]
async fn bad_drafts_are_refused() {
    let bench = bench().await;
    bench.add("Knowledge__kav", draft("taken")).await;
    for (row, code) in [
        (draft("taken"), "DUPLICATE_VALUE"),
        (draft("-a"), "FIELD_INTEGRITY_EXCEPTION"),
        (draft("a b"), "FIELD_INTEGRITY_EXCEPTION"),
        (json!({"Title": "a"}), "REQUIRED_FIELD_MISSING"),
        (
            json!({"Title": "a", "UrlName": "a", "Language": "xx"}),
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        ),
        (
            json!({"Title": "a", "UrlName": "a", "PublishStatus": "Online"}),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
        ),
    ] {
        let (found, _) = bench.refused("Knowledge__kav", row.clone()).await;
        assert_eq!(found, code, "{row}");
    }
    let view = bench.refused("KnowledgeArticleVersion", draft("b")).await;
    assert_eq!(view.0, "INVALID_TYPE_FOR_OPERATION");
}

#[tokio::test]
async fn versions_are_only_shown_by_status_or_id() {
    let bench = bench().await;
    bench.add("Knowledge__kav", draft("a")).await;
    for (filter, rows) in [
        ("", None),
        (" WHERE Title = 'a'", None),
        (" WHERE PublishStatus = 'Draft'", Some(1)),
        (
            " WHERE PublishStatus IN ('Draft', 'Online') AND Title = 'a'",
            Some(1),
        ),
        (" WHERE PublishStatus = 'Online'", Some(0)),
    ] {
        for object in ["Knowledge__kav", "KnowledgeArticleVersion"] {
            let answer = bench
                .query(&format!("SELECT Id FROM {object}{filter}"))
                .await;
            let found = answer.body["records"].as_array().map(Vec::len);
            assert_eq!(found, rows, "{object}{filter}: {}", answer.body);
        }
    }
    assert_eq!(
        bench.query("SELECT Id FROM KnowledgeArticle").await.body["totalSize"],
        1
    );
}

#[tokio::test]
async fn a_selection_names_a_category_that_is_there_and_the_first_of_a_branch_is_kept() {
    let bench = bench().await;
    let id = bench.add("Knowledge__kav", draft("a")).await;
    let select = |group: &str, category: &str| json!({"ParentId": id, "DataCategoryGroupName": group, "DataCategoryName": category});
    const SELECTION: &str = "Knowledge__DataCategorySelection";
    for (group, category) in [("Help", "Nowhere"), ("Other", "Care")] {
        let (code, _) = bench.refused(SELECTION, select(group, category)).await;
        assert_eq!(code, "INVALID_DATA_CATEGORY_GROUP_REFERENCE");
    }
    for category in ["Returns", "Orders", "Care"] {
        bench.add(SELECTION, select("Help", category)).await;
    }
    let (code, _) = bench.refused(SELECTION, select("Help", "Care")).await;
    assert_eq!(code, "DUPLICATE_VALUE");
    let kept = bench.org.dump(SELECTION).unwrap();
    let kept: Vec<&str> = kept
        .iter()
        .filter_map(|row| row["DataCategoryName"].as_str())
        .collect();
    assert_eq!(kept, ["Returns", "Care"]);
}

#[tokio::test]
async fn rights_to_articles_are_offered_with_knowledge_alone() {
    let soql = "SELECT PermissionsEditKnowledge, PermissionsPublishArticles FROM PermissionSet WHERE Name = 'Migration'";
    let answer = bench().await.query(soql).await;
    let row = &answer.body["records"][0];
    assert_eq!(row["PermissionsEditKnowledge"], true, "{}", answer.body);
    assert_eq!(row["PermissionsPublishArticles"], true);
    assert_eq!(Bench::new().await.query(soql).await.status, 400);
}
